using System.Text.Json.Nodes;
using McpHa.HighAvailability.EventBus;
using McpHa.HighAvailability.Sessions;
using ModelContextProtocol.Protocol;

namespace McpHa.Tests;

/// <summary>What a session that moves is handed of the broadcasts that its new owner heard before, or hears late.</summary>
public sealed class RecentBroadcastsTests
{
    [Fact]
    public async Task What_came_while_a_session_had_no_owner_reaches_it_once_in_order_and_before_anything_newer()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();
        Hear(cluster[0], New(), "1");
        Hear(cluster[1], New(), "2");
        Hear(cluster[1], New(), "3");
        await cluster.CutOffAsync(cluster[0]);
        using var stream = await client.GetAsync(cluster[1]);
        await stream.NextAsync();

        Hear(cluster[1], New(), "4");

        foreach (var expected in new[] { "1", "2", "3", "4" })
            Assert.Equal(expected, await NextAsync(stream));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task What_a_former_owner_has_handed_on_does_not_come_again_though_its_successor_hears_it_late(bool afterTheTakeOver)
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();
        UInt128[] ids = [New(), New()];
        Hear(cluster[0], ids[0], "1");
        Hear(cluster[0], ids[1], "2");
        if (!afterTheTakeOver)
            HearBoth();
        await cluster.CutOffAsync(cluster[0]);
        using var stream = await client.GetAsync(cluster[1]);
        await stream.NextAsync();

        if (afterTheTakeOver)
            HearBoth();

        Hear(cluster[1], New(), "3");
        foreach (var expected in new[] { "1", "2", "3" })
            Assert.Equal(expected, await NextAsync(stream));

        void HearBoth()
        {
            Hear(cluster[1], ids[0], "1");
            Hear(cluster[1], ids[1], "2");
        }
    }

    // What an owner handed on is known of its successors, too: not only the last one wrote it down.
    [Fact]
    public async Task What_was_handed_on_two_owners_ago_does_not_come_again()
    {
        await using var cluster = await InProcessCluster.StartAsync(3);
        using var client = await cluster.ConnectAsync();
        var id = New();
        Hear(cluster[0], id, "1");
        await cluster.CutOffAsync(cluster[0]);
        await client.CallAsync(cluster[1], "again");
        Hear(cluster[1], New(), "2");
        await cluster.CutOffAsync(cluster[1]);
        using var stream = await client.GetAsync(cluster[2]);
        await stream.NextAsync();

        Hear(cluster[2], id, "1");

        Hear(cluster[2], New(), "3");
        foreach (var expected in new[] { "1", "2", "3" })
            Assert.Equal(expected, await NextAsync(stream));
    }

    [Fact]
    public async Task What_its_owner_missed_what_is_old_and_what_was_there_before_the_session_is_not_made_up_for()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        var before = New();
        await Task.Delay(10);
        using var client = await cluster.ConnectAsync();
        Hear(cluster[1], before, "before");
        Hear(cluster[1], New(), "missed");
        var id = New();
        Hear(cluster[0], id, "1");
        Hear(cluster[1], id, "1");
        Hear(cluster[1], New(TimeSpan.FromSeconds(11)), "old");
        await cluster.CutOffAsync(cluster[0]);
        using var stream = await client.GetAsync(cluster[1]);
        await stream.NextAsync();

        Hear(cluster[1], New(), "2");

        foreach (var expected in new[] { "1", "2" })
            Assert.Equal(expected, await NextAsync(stream));
    }

    [Fact]
    public void A_record_keeps_the_last_ids_and_takes_everything_before_them_for_handed_on()
    {
        var now = DateTimeOffset.UtcNow;
        UInt128[] ids = [.. Enumerable.Range(0, BroadcastIds.Most + 2).Select(n => BroadcastIds.New(now.AddMilliseconds(n)))];
        byte[] record = [];
        foreach (var id in ids[1..^2])
            record = BroadcastIds.Add(record, id);
        Assert.False(BroadcastIds.Contain(record, ids[0]));
        Assert.True(BroadcastIds.Contain(record, ids[1]));
        Assert.False(BroadcastIds.Contain(record, ids[^2]));

        record = BroadcastIds.Add(BroadcastIds.Add(record, ids[^2]), ids[^1]);

        Assert.Equal(BroadcastIds.Most * BroadcastIds.Size, record.Length);
        Assert.All(ids, id => Assert.True(BroadcastIds.Contain(record, id)));
        Assert.False(BroadcastIds.Contain(record, BroadcastIds.New(now.AddSeconds(1))));
        Assert.False(BroadcastIds.Contain([], ids[0]));
        Assert.Equal(now.ToUnixTimeMilliseconds(), BroadcastIds.Published(ids[0]).ToUnixTimeMilliseconds());
    }

    private static UInt128 New(TimeSpan ago = default) => BroadcastIds.New(DateTimeOffset.UtcNow - ago);

    // As if the bus had brought it to this replica alone.
    private static void Hear(InProcessReplica replica, UInt128 id, string text)
    {
        var host = replica.Get<SessionHost>();
        host.Broadcasts.Deliver(
            id, new JsonRpcNotification { Method = NotificationMethods.LoggingMessageNotification, Params = new JsonObject { ["level"] = "error", ["data"] = text } }, host.Sessions);
    }

    private static async Task<string?> NextAsync(Exchange stream) => (string?)(await stream.MessageAsync())["params"]!["data"];
}

using System.Text.Json.Nodes;
using Mcp.HighAvailability.EventBus;
using Mcp.HighAvailability.Sessions;
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
        Hear(cluster[1], new BroadcastIds(new ShiftedTime { Shift = TimeSpan.FromSeconds(-11) }).Next(), "old");
        await cluster.CutOffAsync(cluster[0]);
        using var stream = await client.GetAsync(cluster[1]);
        await stream.NextAsync();

        Hear(cluster[1], New(), "2");

        foreach (var expected in new[] { "1", "2" })
            Assert.Equal(expected, await NextAsync(stream));
    }

    // The newest that a former owner has handed on is newer than what its successor hears late: out of order, if not for the second time.
    [Fact]
    public async Task What_is_older_than_the_newest_that_was_handed_on_is_past_for_the_next_owner()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();
        var older = New();
        Hear(cluster[0], New(), "1");
        await cluster.CutOffAsync(cluster[0]);
        using var stream = await client.GetAsync(cluster[1]);
        await stream.NextAsync();

        Hear(cluster[1], older, "older");

        Hear(cluster[1], New(), "2");
        foreach (var expected in new[] { "1", "2" })
            Assert.Equal(expected, await NextAsync(stream));
    }

    [Fact]
    public async Task What_the_bus_brings_though_its_publisher_gave_it_up_is_heard_once()
    {
        await using var cluster = await InProcessCluster.StartAsync(1);
        using var client = await cluster.ConnectAsync();
        using var stream = await client.GetAsync(cluster[0]);
        await stream.NextAsync();
        var id = New();

        Assert.True(Hear(cluster[0], id, "1"));
        Assert.False(Hear(cluster[0], id, "1"));

        Hear(cluster[0], New(), "2");
        foreach (var expected in new[] { "1", "2" })
            Assert.Equal(expected, await NextAsync(stream));
    }

    [Fact]
    public void Ids_ascend_also_within_a_millisecond_and_when_the_clock_is_set_back()
    {
        var time = new ShiftedTime();
        var ids = new BroadcastIds(time);
        var several = Enumerable.Range(0, 1_000).Select(_ => ids.Next()).ToList();
        var now = time.GetUtcNow();
        time.Shift -= TimeSpan.FromMinutes(1);
        several.Add(ids.Next());

        Assert.Equal(several.Order().Distinct(), several);
        Assert.InRange(BroadcastIds.Published(several[^1]), now.AddSeconds(-10), now.AddMilliseconds(1));
        Assert.True(BroadcastIds.LastOf(BroadcastIds.Published(several[0])) >= several[0]);
        Assert.True(BroadcastIds.LastOf(BroadcastIds.Published(several[0]).AddMilliseconds(-1)) < several[0]);
        Assert.Equal(several[0], BroadcastIds.Read(BroadcastIds.Write(several[0])));
        Assert.Equal(UInt128.Zero, BroadcastIds.Read([]));
    }

    private static readonly BroadcastIds Ids = new(TimeProvider.System);

    private static UInt128 New() => Ids.Next();

    // As if the bus had brought it to this replica alone.
    private static bool Hear(InProcessReplica replica, UInt128 id, string text)
    {
        var host = replica.Get<SessionHost>();
        return host.Broadcasts.Deliver(
            id, new JsonRpcNotification { Method = NotificationMethods.LoggingMessageNotification, Params = new JsonObject { ["level"] = "error", ["data"] = text } }, host.Sessions);
    }

    private static async Task<string?> NextAsync(Exchange stream) => (string?)(await stream.MessageAsync())["params"]!["data"];
}

using McpHa.Tests.Clients;
using McpHa.Tests.Cluster;

namespace McpHa.Tests;

/// <summary>The owner is killed while a GET stream is open.</summary>
public sealed class GetStreamTests(ClusterFixture fixture) : ClusterTest(fixture)
{
    [Theory]
    [InlineData(ClientKind.TypeScript, Access.Nginx)]
    [InlineData(ClientKind.CSharp, Access.NonOwner)]
    public async Task An_open_GET_stream_goes_on_after_kill_with_every_announcement_once(ClientKind kind, Access access)
    {
        await using var listener = await ConnectAsync(kind, access);
        var owner = await OwnerOf(listener);
        using var announcer = await AnnouncerAsync(owner);
        await AnnounceAsync(announcer, "1", "2", "3");
        await Wait.UntilAsync(() => listener.Announcements.Count == 3, "the announcements before the kill");

        owner.Kill();

        Assert.Equal(owner.Epoch + 1, (await OwnerOf(listener)).Epoch);
        await AnnounceAsync(announcer, "4", "5", "6");
        await Wait.UntilAsync(() => listener.Announcements.Contains("6") && listener.Announcements.Count >= 6, "the announcements after the kill");

        // Whatever was doubled or late would come before this one.
        await AnnounceAsync(announcer, "last");
        await Wait.UntilAsync(() => listener.Announcements.Contains("last"), "the last announcement");
        var heard = listener.Announcements;
        Assert.Equal(["1", "2", "3", "4", "5", "6", "last"], kind == ClientKind.CSharp ? heard.Order() : heard);
        AssertNoTrouble(listener, access);
    }

    [Theory]
    [MemberData(nameof(BothWays))]
    public async Task An_open_GET_stream_goes_on_after_kill_on_the_same_HTTP_response(Access access)
    {
        using var listener = await ConnectRawAsync(access);
        using var stream = await listener.GetAsync();
        await stream.EventAsync(e => e.Id is not null, "the stream to begin");
        var owner = await OwnerOf(listener);
        using var announcer = await AnnouncerAsync(owner);

        await AnnounceAsync(announcer, "1", "2");
        await stream.EventAsync(e => e.Announcement == "2", "the announcements before the first kill");
        owner.Kill();
        var successor = await OwnerOf(listener);
        await AnnounceAsync(announcer, "3", "4");
        await stream.EventAsync(e => e.Announcement == "4", "the announcements after the first kill");

        Assert.NotEqual(owner.Replica, successor.Replica);
        var heard = stream.Events.Where(e => e.Announcement is not null).ToArray();
        Assert.Equal(["1", "2", "3", "4"], heard.Select(e => e.Announcement));
        Assert.Distinct(heard.Select(e => e.Id));
        Assert.False(stream.Read().IsCompleted);
    }

    [Fact]
    public async Task What_was_written_before_the_kill_and_not_read_is_delivered_at_resume()
    {
        var (first, second, third) = await ReplicasAsync();
        using var listener = At(first, null);
        var session = await listener.InitializeAsync();
        using var stream = await listener.GetAsync();
        var start = await stream.EventAsync(e => e.Id is not null, "the stream to begin");
        using var announcer = At(third, null);
        await announcer.InitializeAsync();
        await AnnounceAsync(announcer, "1", "2", "3");
        await stream.EventAsync(e => e.Announcement == "3", "the announcements to be written");

        Processes.Send(first.Pid, Processes.SigKill);

        // Two clients that had not read so far: one nothing, one the first.
        using var after = At(second, session);
        using var fromStart = await after.GetAsync(start.Id);
        await fromStart.EventAsync(e => e.Announcement == "3", "all announcements, again");
        Assert.Equal(["1", "2", "3"], Heard(fromStart));
        fromStart.Dispose();
        using var fromFirst = await after.GetAsync(stream.Events.Single(e => e.Announcement == "1").Id);
        await fromFirst.EventAsync(e => e.Announcement == "3", "the rest of the announcements, again");
        Assert.Equal(["2", "3"], Heard(fromFirst));

        // And the stream is alive.
        await AnnounceAsync(announcer, "4");
        await fromFirst.EventAsync(e => e.Announcement == "4", "a new announcement");
        Assert.Equal(["2", "3", "4"], Heard(fromFirst));
    }

    [Fact]
    public async Task What_is_announced_while_nobody_reads_waits_for_the_next_GET_stream_and_keeps_its_order()
    {
        var (first, second, third) = await ReplicasAsync();
        using var announcer = At(third, null);
        await announcer.InitializeAsync();
        for (var round = 1; round <= 10; round++)
        {
            using var listener = At(first, null);
            using var elsewhere = At(second, await listener.InitializeAsync());
            string[] texts = [.. Enumerable.Range(1, 6).Select(number => $"{round}.{number}")];
            await AnnounceAsync(announcer, texts[..2]);

            // The stream opens while announcements arrive.
            var opening = elsewhere.GetAsync();
            await AnnounceAsync(announcer, texts[2..]);
            using var stream = await opening;

            await stream.EventAsync(e => e.Announcement == texts[^1], "the last announcement");
            Assert.Equal(texts, Heard(stream));
        }
    }

    private static IEnumerable<string?> Heard(RawResponse stream) => stream.Events.Where(e => e.Announcement is not null).Select(e => e.Announcement);

    private async Task<RawClient> AnnouncerAsync(Owner listenersOwner)
    {
        var announcer = At(await AnotherAsync(listenersOwner.Replica), null);
        await announcer.InitializeAsync();
        return announcer;
    }

    private static async Task AnnounceAsync(RawClient announcer, params string[] texts)
    {
        foreach (var text in texts)
            Assert.Null((await announcer.CallAsync($"announce-{text}", "announce", new { text }))["error"]);
    }
}

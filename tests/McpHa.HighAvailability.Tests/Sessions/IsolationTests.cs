using System.Diagnostics;
using System.Net;
using Mcp.HighAvailability.Cluster;
using Mcp.HighAvailability.Sessions;

namespace McpHa.Tests;

/// <summary>An owner is cut off from the store for longer than its heartbeat may be late: alone, or with all others.</summary>
public sealed class IsolationTests
{
    [Fact]
    public async Task An_owner_that_alone_is_cut_off_shows_nothing_and_writes_nothing_and_serves_again_afterwards()
    {
        await using var cluster = await StartAsync();
        using var client = await cluster.ConnectAsync();
        using var unjournaled = new Counted(cluster[0], "mcp.ha.events.unjournaled");
        var cut = new TaskCompletionSource();
        cluster.Tool.Body = async run =>
        {
            if (run.Token is not null)
                await run.ProgressAsync(1);
            if (run.Replica.ReplicaId != "replica-a")
                return run.Replica.ReplicaId;
            await cluster.Tool.UntilAsync(cut.Task);
            for (var n = 2; n < 100; n++)
                _ = run.ProgressAsync(n);
            return "too late";
        };
        using var call = await client.PostAsync(cluster[0], client.Call("again", progress: true));
        using var stream = await client.GetAsync(cluster[0]);
        await stream.NextAsync();
        await call.MessageAsync();
        var session = cluster[0].Session(client.SessionId!)!;

        cluster.TakeStoreFrom(0);
        await Wait.UntilAsync(() => !cluster[0].Get<Standing>().Leased, "the lease to end");
        cut.SetResult();

        // Cut, without another byte, so that the client goes on elsewhere: also when it asks the very same replica.
        await call.BrokenAsync();
        await stream.BrokenAsync();
        using (var resumed = await client.GetAsync(cluster[0], call.LastId))
        {
            Assert.Equal("replica-b", RawClient.TextOf(Assert.Single(await resumed.MessagesAsync())));
        }

        Assert.Equal(2, cluster.Snapshot(client.SessionId!)!.Record.Epoch);
        Assert.Equal(0, unjournaled.Value);
        var journal = cluster.Journal(client.SessionId!).Count;

        cluster.TakeStoreFrom();
        await session.Gone.WaitAsync(Wait.Limit);
        await Wait.UntilAsync(() => !cluster[0].Get<Standing>().Isolated, "the replica to serve again");
        Assert.Equal(journal, cluster.Journal(client.SessionId!).Count);
        Assert.Equal("replica-b", await client.CallAsync(cluster[0], "again"));
        using var fresh = await cluster.ConnectAsync();
        Assert.NotNull(cluster[0].Session(fresh.SessionId!));
    }

    [Fact]
    public async Task What_reaches_an_isolated_owner_is_served_elsewhere_and_happens_once()
    {
        await using var cluster = await StartAsync();
        using var client = await cluster.ConnectAsync();
        cluster.TakeStoreFrom(0);

        // Held at first, and sent on when it is known that others have the store.
        var delivery = client.CallAsync(cluster[0], "once", "delivered");
        using var another = new RawClient();
        using var opened = await another.PostAsync(cluster[0], another.Initialize());

        Assert.Equal("delivered", await delivery);
        Assert.Equal(HttpStatusCode.OK, opened.Status);
        cluster.TakeStoreFrom();
        await Wait.UntilAsync(() => cluster[0].Get<Standing>().Leased && cluster[0].Session(client.SessionId!) is null, "the owner to learn that it is none");
        Assert.Equal([("replica-b", "delivered")], cluster.Tool.Log);
    }

    [Fact]
    public async Task While_the_store_is_away_for_all_owners_go_on_and_keep_their_sessions()
    {
        await using var cluster = await StartAsync();
        using var client = await cluster.ConnectAsync();
        using var unjournaled = new Counted(cluster[0], "mcp.ha.events.unjournaled");
        cluster.TakeStoreFrom(0, 1);
        await Wait.UntilAsync(() => !cluster[0].Get<Standing>().Leased, "the lease to end");

        Assert.Equal("x", await client.CallAsync(cluster[0], "again", "x"));
        Assert.Equal(0, unjournaled.Value);
        cluster.Tool.Body = async run =>
        {
            await run.State.SetAsync("key", 1);
            return run.Argument;
        };
        Assert.Equal("y", await client.CallAsync(cluster[0], "again", "y"));
        Assert.Equal(1, unjournaled.Value);

        // What must not run twice is not even begun.
        var delivery = client.CallAsync(cluster[0], "once", "delivered");
        await Assert.ThrowsAsync<TimeoutException>(() => delivery.WaitAsync(TimeSpan.FromSeconds(1)));
        Assert.Equal(2, cluster.Tool.Runs);

        cluster.TakeStoreFrom();
        Assert.Equal("delivered", await delivery);
        Assert.Equal(("replica-a", 1L), (cluster.Snapshot(client.SessionId!)!.Record.Owner, cluster.Snapshot(client.SessionId!)!.Record.Epoch));
    }

    [Fact]
    public async Task A_peer_that_does_not_answer_or_may_have_taken_over_is_enough_for_silence()
    {
        await using var cluster = await StartAsync();
        var standing = cluster[0].Get<Standing>();
        cluster.TakeStoreFrom(0, 1);
        await Wait.UntilAsync(() => !standing.Leased, "the lease to end");
        await Wait.UntilAsync(async () => await standing.IsUnchallengedAsync(default), "the peer to spare this one");

        cluster[1].Link.Cut();
        await Wait.UntilAsync(async () => !await standing.IsUnchallengedAsync(default), "silence to be noticed");
        cluster[1].Link.Heal();
        await Wait.UntilAsync(async () => await standing.IsUnchallengedAsync(default), "the peer to answer again");

        // What it may have done while it had the store it cannot promise away.
        cluster.TakeStoreFrom(0);
        await Wait.UntilAsync(() => cluster[1].Get<ReplicaDirectory>().Find("replica-a") is null, "the peer to give this one up");
        cluster.TakeStoreFrom(0, 1);
        await Wait.UntilAsync(() => cluster[1].Get<ReplicaDirectory>().RegistryAway, "the store to be away for both");
        await Wait.UntilAsync(() => !standing.Isolated || !standing.Unchallenged, "a round of questions");
        Assert.False(await standing.IsUnchallengedAsync(default));
    }

    [Fact]
    public async Task A_peer_that_has_promised_takes_nothing_over_though_the_store_is_back()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();
        cluster.TakeStoreFrom(0, 1);
        await cluster[1].Get<ReplicaDirectory>().RefreshAsync();
        var asked = Stopwatch.StartNew();
        Assert.True(cluster[1].Get<SessionHost>().Spare("replica-a"));
        cluster.TakeStoreFrom(0);
        await cluster.CutOffAsync(cluster[0]);

        Assert.Equal("x", await client.CallAsync(cluster[1], "again", "x"));

        Assert.True(asked.Elapsed >= Standing.Promise);
    }

    private static Task<InProcessCluster> StartAsync() => InProcessCluster.StartAsync(
        options: o => o.DurableTimeout = TimeSpan.FromMilliseconds(100),
        clusterOptions: o => (o.HeartbeatInterval, o.Overdue) = (TimeSpan.FromMilliseconds(400), TimeSpan.FromSeconds(2)));
}

using System.Net;
using Mcp.HighAvailability.Cluster;
using Mcp.HighAvailability.Sessions;
using Mcp.HighAvailability.Storage;

namespace McpHa.Tests;

/// <summary>The store was restarted, replaced or emptied, and not all owners have seen to their sessions yet.</summary>
public sealed class StoreIncarnationTests
{
    [Fact]
    public async Task A_session_that_was_taken_over_earlier_is_never_unknown_to_anybody()
    {
        await using var cluster = await StartAsync();
        using var client = await TakenOverByAsync(cluster, 1);
        cluster.Wipe();
        var looked = cluster[2].Store.StopAfter("FindAsync");
        looked.LetGo();

        // Asked before a replica has noticed, and while only the asked one has.
        var call = client.CallAsync(cluster[2], "again", "x");
        await looked.Reached;
        await cluster[2].Get<ReplicaDirectory>().RefreshAsync();
        Assert.False(call.IsCompleted);
        Assert.Null(cluster.Snapshot(client.SessionId!));

        await cluster[1].Get<ReplicaDirectory>().RefreshAsync();

        Assert.Equal("x", await call);
        Assert.Equal(("replica-b", 2L), (cluster.Snapshot(client.SessionId!)!.Record.Owner, cluster.Snapshot(client.SessionId!)!.Record.Epoch));
    }

    [Fact]
    public async Task All_sessions_of_all_owners_are_written_back_at_once_and_then_an_unknown_one_is_unknown()
    {
        await using var cluster = await StartAsync();
        List<RawClient> clients = [];
        for (var n = 0; n < 12; n++)
            clients.Add(await cluster.ConnectAsync(n % 3));
        cluster.Wipe();
        await RefreshAsync(cluster);

        await Wait.UntilAsync(() => clients.All(c => cluster.Snapshot(c.SessionId!) is not null), "all sessions to be there again");

        await RefreshAsync(cluster);
        var known = clients[0].SessionId!;
        clients[0].SessionId = known[..^4] + "beef";
        using var unknown = await clients[0].PostAsync(cluster[1], clients[0].Call("again"));
        Assert.Equal(HttpStatusCode.NotFound, unknown.Status);
        clients.ForEach(c => c.Dispose());
    }

    [Fact]
    public async Task Nobody_is_waited_for_who_has_died()
    {
        await using var cluster = await StartAsync();
        using var client = await TakenOverByAsync(cluster, 1);
        cluster[0].Store.Away = cluster[1].Store.Away = true;
        cluster.Wipe();
        await cluster[0].Get<ReplicaDirectory>().RefreshAsync();
        var call = client.PostAsync(cluster[2], client.Call("again"));
        await Assert.ThrowsAsync<TimeoutException>(() => call.WaitAsync(TimeSpan.FromMilliseconds(300)));

        cluster[2].Get<ReplicaDirectory>().ReportUnreachable(cluster[1].Id);

        using var gone = await call;
        Assert.Equal(HttpStatusCode.NotFound, gone.Status);
    }

    [Fact]
    public async Task A_session_of_a_replica_that_was_taken_for_dead_when_the_store_was_looked_at_is_not_unknown()
    {
        await using var cluster = await StartAsync();
        using var client = await TakenOverByAsync(cluster, 1);
        cluster.Wipe();
        var directory = cluster[2].Get<ReplicaDirectory>();
        directory.ReportUnreachable(cluster[1].Id);
        await RefreshUntilAsync(cluster, () => directory.WrittenBack.ByAll, "the other replica to be whole by itself", 2);
        var looked = cluster[2].Store.StopAfter("FindAsync");
        var call = client.CallAsync(cluster[2], "again", "x");
        await looked.Reached;

        await RefreshUntilAsync(cluster, () => directory.Find(cluster[1].Id) is { WrittenBack: "3" }, "the owner to be back, and done", 1, 2);
        looked.LetGo();

        Assert.Equal("x", await call);
    }

    [Fact]
    public async Task A_former_owner_that_writes_the_session_back_first_stops_when_its_owner_has()
    {
        await using var cluster = await StartAsync();
        using var client = await TakenOverByAsync(cluster, 1);
        cluster.Wipe();
        cluster.Registry.Heal(cluster[0].Id);
        cluster[0].Bus.Cut = false;
        await RefreshAsync(cluster, 0);
        await Wait.UntilAsync(() => cluster.Snapshot(client.SessionId!)?.Record.Epoch == 1, "the former owner to write back");
        Assert.True(cluster[0].Get<SessionHost>().Find(client.SessionId!)!.Serves);

        await RefreshAsync(cluster, 1);

        await Wait.UntilAsync(() => cluster.Snapshot(client.SessionId!)!.Record.Epoch == 2, "the owner to write back");
        await Wait.UntilAsync(() => cluster[0].Get<SessionHost>().Find(client.SessionId!) is not { Serves: true }, "the former owner to stop");
    }

    // Its connection to the store comes back late: the others have heard no heartbeat of it since, and for too long.
    [Fact]
    public async Task An_owner_of_which_the_emptied_store_has_not_heard_yet_is_waited_for()
    {
        await using var cluster = await StartAsync();
        using var client = await TakenOverByAsync(cluster, 1);
        cluster[1].Store.Away = true;
        cluster.Wipe();
        cluster.Registry.Cut(cluster[1].Id);
        await RefreshAsync(cluster, 0, 2);
        Assert.DoesNotContain(cluster[2].Get<ReplicaDirectory>().Alive, replica => replica.Id == cluster[1].Id);
        await RefreshAsync(cluster, 0, 2);
        var call = client.CallAsync(cluster[2], "again", "x");
        await Assert.ThrowsAsync<TimeoutException>(() => call.WaitAsync(TimeSpan.FromMilliseconds(300)));

        cluster[1].Store.Away = false;
        cluster.Registry.Heal(cluster[1].Id);
        await RefreshAsync(cluster, 1, 0, 2);

        Assert.Equal("x", await call);
    }

    [Fact]
    public async Task Nothing_is_taken_over_by_the_word_of_a_store_that_may_have_forgotten_the_last_take_over()
    {
        await using var cluster = await StartAsync();
        cluster.Tool.Body = async run => $"{await run.State.UpdateAsync<int>("n", n => n + 1)}";
        using var client = await cluster.ConnectAsync();
        Assert.Equal("1", await client.CallAsync(cluster[0], "again"));
        var before = cluster.Snapshot(client.SessionId!)!;
        var state = cluster.State(client.SessionId!);
        await cluster.CutOffAsync(cluster[0]);
        Assert.Equal("2", await client.CallAsync(cluster[1], "again"));

        // A fail-over to a copy that lags: the first owner owns the session, as far as the store knows.
        cluster.Wipe();
        await new InMemorySessionStore(cluster.Sessions).WriteBackAsync(before, state);
        var looked = cluster[2].Store.StopAfter("FindAsync");
        looked.LetGo();
        var call = client.CallAsync(cluster[2], "again");
        await looked.Reached;
        Assert.Equal(1, cluster.Snapshot(client.SessionId!)!.Record.Epoch);
        await cluster[1].Get<ReplicaDirectory>().RefreshAsync();

        Assert.Equal("3", await call);
        Assert.Equal(("replica-b", 2L), (cluster.Snapshot(client.SessionId!)!.Record.Owner, cluster.Snapshot(client.SessionId!)!.Record.Epoch));
    }

    [Fact]
    public async Task A_session_that_is_just_being_taken_over_is_checked_like_those_that_are_there()
    {
        await using var cluster = await StartAsync();
        using var client = await cluster.ConnectAsync();
        await cluster.CutOffAsync(cluster[0]);
        var reading = cluster[1].Store.StopAfter("TakeOverAsync");
        var call = client.CallAsync(cluster[1], "again", "x");
        await reading.Reached;

        cluster.Wipe();
        await RefreshAsync(cluster);
        var other = client.CallAsync(cluster[2], "again", "y");
        await Assert.ThrowsAsync<TimeoutException>(() => other.WaitAsync(TimeSpan.FromMilliseconds(300)));
        reading.LetGo();

        Assert.Equal("x", await call);
        Assert.Equal("y", await other);
    }

    // Its first heartbeat cannot say that it has written back: it does not know the incarnation yet.
    [Fact]
    public async Task A_take_over_does_not_wait_for_the_next_look_at_a_replica_that_has_just_come()
    {
        await using var cluster = await StartAsync();
        using var client = await cluster.ConnectAsync();
        await cluster.CutOffAsync(cluster[0]);
        var newcomer = FixedRegistry.Info("replica-new", cluster[2].Get<SelfReplica>().Describe()!.Address);
        await cluster.Registry.BeatAsync(newcomer);
        await RefreshAsync(cluster, 1, 2);
        Assert.False(cluster[1].Get<ReplicaDirectory>().WrittenBack.ByAll);

        await cluster.Registry.BeatAsync(newcomer with { WrittenBack = "2" });
        await Task.Delay(ReplicaDirectory.MaxViewAge + TimeSpan.FromMilliseconds(10));
        using var call = await client.PostAsync(cluster[1], client.Call("again", "x"), h => h.TryAddWithoutValidation("Mcp-Ha-Relay", "1"));

        Assert.Equal("x", RawClient.TextOf(await call.AnswerAsync()));
    }

    private static async Task<InProcessCluster> StartAsync()
    {
        var cluster = await InProcessCluster.StartAsync(3);

        // In the first incarnation that they see replicas wait for others that they have not heard of: longer than a test.
        foreach (var incarnation in new[] { "1", "2" })
        {
            cluster.Registry.Incarnation = incarnation;
            await RefreshAsync(cluster);
        }

        await RefreshUntilAsync(
            cluster,
            () => Enumerable.Range(0, 3).All(n => cluster[n].Get<ReplicaDirectory>().WrittenBack is { ByAll: true, Incarnation: "2" }),
            "all replicas to have written back");
        return cluster;
    }

    private static async Task<RawClient> TakenOverByAsync(InProcessCluster cluster, int replica)
    {
        var client = await cluster.ConnectAsync();
        await cluster.CutOffAsync(cluster[0]);
        await client.CallAsync(cluster[replica], "again");
        return client;
    }

    private static Task RefreshUntilAsync(InProcessCluster cluster, Func<bool> isSo, string what, params int[] replicas) => Wait.UntilAsync(
        async () =>
        {
            await RefreshAsync(cluster, replicas);
            return isSo();
        },
        what);

    private static async Task RefreshAsync(InProcessCluster cluster, params int[] replicas)
    {
        foreach (var n in replicas is [] ? [0, 1, 2] : replicas)
            await cluster[n].Get<ReplicaDirectory>().RefreshAsync();
    }
}

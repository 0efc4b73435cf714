using System.Text;
using Mcp.HighAvailability.Cluster;

namespace McpHa.Tests;

/// <summary>A replica that its peers cannot reach, while its heartbeats still arrive: packets vanish.</summary>
public sealed class ReachabilityTests
{
    [Fact]
    public async Task A_call_through_a_peer_goes_on_there_when_its_owner_cannot_be_reached()
    {
        await using var cluster = await StartAsync();
        using var client = await cluster.ConnectAsync();
        var finish = new TaskCompletionSource();
        cluster.Tool.Body = async run =>
        {
            for (var step = 1; step <= 3; step++)
                await run.ProgressAsync(step);
            await cluster.Tool.UntilAsync(finish.Task);
            return run.Replica.ReplicaId;
        };
        using var call = await client.PostAsync(cluster[1], client.Call("again", progress: true));
        for (var step = 1; step <= 3; step++)
            Assert.Equal(step, (int)(await call.MessageAsync())["params"]!["progress"]!);

        cluster[0].Link.Cut();
        await Wait.UntilAsync(() => cluster[1].Session(client.SessionId!) is { Serves: true }, "the take-over");
        finish.SetResult();

        // On the same response, each step once; what the owner says meanwhile is lost with the connection, or refused by the store.
        Assert.Equal("replica-b", RawClient.TextOf(await call.AnswerAsync()));
        Assert.Equal(4, call.Seen.Count(e => e.Message is not null));
        await Wait.UntilAsync(() => cluster[0].Session(client.SessionId!) is null, "the owner to learn of it");

        cluster[0].Link.Heal();
        await Wait.UntilAsync(() => Sees(cluster[1], cluster[0]), "the owner to be reached again");
        cluster.Tool.Body = static run => Task.FromResult(run.Replica.ReplicaId);
        using var another = await cluster.ConnectAsync(0);
        Assert.Equal("replica-a", await another.CallAsync(cluster[1], "again"));
    }

    [Fact]
    public async Task Clients_of_a_replica_that_lost_its_peers_get_not_one_byte_after_the_take_over_and_go_on_through_it()
    {
        await using var cluster = await StartAsync();
        using var client = await cluster.ConnectAsync();
        var finish = new TaskCompletionSource();
        cluster.Tool.Body = async run =>
        {
            await run.ProgressAsync(1);
            await cluster.Tool.UntilAsync(finish.Task);
            if (run.Replica.ReplicaId == "replica-a")
                await run.ProgressAsync(2);
            return run.Replica.ReplicaId;
        };
        using var call = await client.PostAsync(cluster[0], client.Call("again", "direct", progress: true));
        await call.MessageAsync();
        using var stream = await client.GetAsync(cluster[0]);
        await stream.NextAsync();

        cluster[0].Link.Cut();
        using var elsewhere = await client.PostAsync(cluster[1], client.Request("ping"));
        Assert.NotNull((await elsewhere.AnswerAsync())["result"]);
        Assert.Equal(2, cluster[1].Session(client.SessionId!)!.Epoch);
        finish.SetResult();

        await call.BrokenAsync();
        await stream.BrokenAsync();
        using var resumed = await client.GetAsync(cluster[0], call.LastId);
        Assert.Equal("replica-b", RawClient.TextOf(await resumed.AnswerAsync()));
        Assert.All(cluster.Journal(client.SessionId!), e => Assert.DoesNotContain("\"progress\":2", Encoding.UTF8.GetString(e.Payload.Span), StringComparison.Ordinal));
        Assert.Equal(2, cluster[1].Session(client.SessionId!)!.Epoch);
    }

    [Fact]
    public async Task One_wait_is_all_that_an_unreachable_replica_costs_however_often_it_beats()
    {
        await using var cluster = await StartAsync(3);
        using var client = await cluster.ConnectAsync();
        cluster[0].Link.Cut();
        Assert.Equal("first", await client.CallAsync(cluster[1], "again", "first"));
        Assert.False(Sees(cluster[1], cluster[0]));

        // The other peer has sessions of its own there, and waits once as well.
        using var other = await cluster.ConnectAsync();
        Assert.Equal("second", await other.CallAsync(cluster[2], "again", "second"));
        var before = cluster[0].Link.Seen.Count;
        var beats = cluster.Registry.Beats;
        for (var n = 0; cluster.Registry.Beats < beats + 12; n++)
        {
            using var fresh = await cluster.ConnectAsync();
            Assert.Equal($"{n}", await fresh.CallAsync(cluster[1 + (n % 2)], "again", $"{n}"));
            Assert.False(Sees(cluster[1], cluster[0]));
            Assert.False(Sees(cluster[2], cluster[0]));
        }

        var asked = cluster[0].Link.Seen.Skip(before).ToList();
        Assert.All(asked, line => Assert.StartsWith("GET " + PeerProbe.Path, line, StringComparison.Ordinal));
        Assert.InRange(asked.Count, 1, 14); // two peers, one question per heartbeat each at most
    }

    [Fact]
    public async Task A_slow_tool_and_a_quiet_stream_are_no_dead_replica()
    {
        await using var cluster = await StartAsync();
        using var client = await cluster.ConnectAsync();
        var finish = new TaskCompletionSource();
        cluster.Tool.Body = async run =>
        {
            await cluster.Tool.UntilAsync(finish.Task);
            return run.Replica.ReplicaId;
        };
        using var stream = await client.GetAsync(cluster[1]);
        await stream.NextAsync();
        var slow = client.CallAsync(cluster[1], "once");
        await Wait.UntilAsync(() => cluster.Tool.Runs == 1, "the tool to run");
        var lost = cluster[1].Get<ReplicaDirectory>().LostToken("replica-a");

        // Asked over and over, for longer than it takes to give a replica up.
        await Wait.UntilAsync(() => Probes(cluster[0]) >= 10, "ten questions");
        Assert.False(lost.IsCancellationRequested);
        finish.SetResult();
        Assert.Equal("replica-a", await slow);
        Assert.Equal(1, cluster[0].Session(client.SessionId!)!.Epoch);
    }

    [Fact]
    public async Task Nobody_is_asked_with_whom_nothing_is_open()
    {
        await using var cluster = await StartAsync();
        using var client = await cluster.ConnectAsync();
        await client.CallAsync(cluster[1], "again");
        await Wait.UntilAsync(() => cluster[1].Get<ReplicaDirectory>().Find("replica-a") is not null, "the peer");
        var before = Probes(cluster[0]);
        var beats = cluster.Registry.Beats;
        await Wait.UntilAsync(() => cluster.Registry.Beats >= beats + 12, "some heartbeats");
        Assert.InRange(Probes(cluster[0]), before, before + 1); // one may have been about to be asked
    }

    [Fact]
    public async Task Whoever_could_not_be_reached_while_the_registry_was_away_is_back_when_it_answers()
    {
        await using var cluster = await StartAsync();
        using var client = await cluster.ConnectAsync();
        var finish = new TaskCompletionSource();
        cluster.Tool.Body = async run =>
        {
            await cluster.Tool.UntilAsync(finish.Task);
            return run.Replica.ReplicaId;
        };
        using var stream = await client.GetAsync(cluster[1]);
        await stream.NextAsync();
        cluster.Registry.IsAway = true;
        await cluster[1].Get<ReplicaDirectory>().RefreshAsync();
        cluster[0].Link.Cut();
        await Wait.UntilAsync(() => !Sees(cluster[1], cluster[0]), "the suspicion");
        cluster[0].Link.Heal();
        await Wait.UntilAsync(() => Sees(cluster[1], cluster[0]), "the answer to count without a heartbeat");
        finish.SetResult();
    }

    private static bool Sees(InProcessReplica one, InProcessReplica other) => one.Get<ReplicaDirectory>().Find(other.Id) is not null;

    private static int Probes(InProcessReplica replica) => replica.Link.Seen.Count(line => line.Contains(PeerProbe.Path, StringComparison.Ordinal));

    private static Task<InProcessCluster> StartAsync(int replicas = 2) => InProcessCluster.StartAsync(
        replicas, clusterOptions: o => (o.HeartbeatInterval, o.Overdue) = (TimeSpan.FromMilliseconds(500), TimeSpan.FromSeconds(3)));
}

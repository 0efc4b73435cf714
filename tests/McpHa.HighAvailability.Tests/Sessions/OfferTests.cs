using Mcp.HighAvailability.Sessions;

namespace McpHa.Tests;

/// <summary>A replica that drains sees to it that its sessions live elsewhere before their clients ask.</summary>
public sealed class OfferTests
{
    [Fact]
    public async Task Idle_sessions_live_at_their_next_owner_before_their_clients_ask()
    {
        await using var cluster = await InProcessCluster.StartAsync(3, options: o => o.DrainTimeout = TimeSpan.FromSeconds(60));
        var clients = await Task.WhenAll(Enumerable.Range(0, 10).Select(_ => cluster.ConnectAsync()));
        var before = clients.Select(client => cluster[0].Get<SessionHost>().Successor(client.SessionId!)!.Id).ToList();

        await cluster[0].StopAsync();

        Assert.Equal(before, clients.Select(client => cluster.Snapshot(client.SessionId!)!.Record.Owner));
        Assert.All(clients, client => Assert.NotNull(cluster[1].Session(client.SessionId!) ?? cluster[2].Session(client.SessionId!)));
        Assert.Equal("x", await clients[0].CallAsync(cluster[1], "again", "x"));
        foreach (var client in clients)
            client.Dispose();
    }

    [Fact]
    public async Task A_session_that_is_used_all_the_time_moves_between_two_calls_and_no_call_waits_before()
    {
        await using var cluster = await InProcessCluster.StartAsync(options: o => o.DrainTimeout = TimeSpan.FromSeconds(400));
        using var client = await cluster.ConnectAsync();
        TaskCompletionSource[] ends = [new(), new()];
        cluster.Tool.Body = async run =>
        {
            await cluster.Tool.UntilAsync(ends[int.Parse(run.Argument, System.Globalization.CultureInfo.InvariantCulture)].Task);
            return run.Replica.ReplicaId;
        };
        var first = client.CallAsync(cluster[0], "again", "0");
        await Wait.UntilAsync(() => cluster.Tool.Runs == 1, "the first call to run");
        var stopping = cluster[0].StopAsync();
        await Wait.UntilAsync(() => cluster[0].Get<SessionHost>().Draining, "the drain to begin");

        var second = client.CallAsync(cluster[0], "again", "1");
        await Wait.UntilAsync(() => cluster.Tool.Runs == 2, "the second call to run while the first one does");
        ends[0].SetResult();
        Assert.Equal("replica-a", await first);
        Assert.Equal("replica-a", cluster.Snapshot(client.SessionId!)!.Record.Owner);
        ends[1].SetResult();

        Assert.Equal("replica-a", await second);
        await Wait.UntilAsync(() => cluster[1].Session(client.SessionId!) is { Epoch: 2 }, "the session to live at the other replica");
        await stopping;
    }

    [Fact]
    public async Task A_session_whose_offer_nobody_hears_waits_for_its_next_request()
    {
        await using var cluster = await InProcessCluster.StartAsync(options: o => o.DrainTimeout = TimeSpan.FromSeconds(60));
        using var client = await cluster.ConnectAsync();
        cluster[1].Bus.Cut = true;

        await cluster[0].StopAsync();

        Assert.Equal(("", 1L), cluster.Snapshot(client.SessionId!)!.Record is var record ? (record.Owner, record.Epoch) : default);
        Assert.Equal("x", await client.CallAsync(cluster[1], "again", "x"));
    }

    [Fact]
    public async Task A_request_that_comes_while_its_session_moves_is_answered_by_the_next_owner()
    {
        await using var cluster = await InProcessCluster.StartAsync(options: o => o.DrainTimeout = TimeSpan.FromSeconds(60));
        using var client = await cluster.ConnectAsync();

        // A call of another session keeps the replica from ending before the request has come.
        using var other = await cluster.ConnectAsync();
        var end = new TaskCompletionSource();
        cluster.Tool.Body = async run =>
        {
            if (run.Argument == "long")
                await cluster.Tool.UntilAsync(end.Task);
            return run.Replica.ReplicaId;
        };
        var running = other.CallAsync(cluster[0], "again", "long");
        await Wait.UntilAsync(() => cluster.Tool.Runs == 1, "the other session's call to run");
        var taking = cluster[1].Store.StopBefore("TakeOverAsync", id => (string)id! == client.SessionId);
        var stopping = cluster[0].StopAsync();
        await taking.Reached;

        var call = client.CallAsync(cluster[0], "again");
        taking.LetGo();

        Assert.Equal("replica-b", await call);
        end.SetResult();
        Assert.Equal("replica-a", await running);
        await stopping;
        Assert.Equal(2, cluster.Snapshot(client.SessionId!)!.Record.Epoch);
    }
}

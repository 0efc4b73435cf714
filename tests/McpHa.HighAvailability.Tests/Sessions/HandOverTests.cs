using System.Net;
using Mcp.HighAvailability.Http;
using Mcp.HighAvailability.Protocol;
using Mcp.HighAvailability.Sessions;

namespace McpHa.Tests;

/// <summary>A replica that is told to stop gives its sessions up in good order.</summary>
public sealed class HandOverTests
{
    [Fact]
    public async Task A_replica_that_drains_hands_its_sessions_over_at_once()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();
        await client.CallAsync(cluster[0], "again");
        using var stream = await client.GetAsync(cluster[0]);
        await stream.NextAsync();

        await cluster[0].StopAsync();

        Assert.Equal("replica-b", cluster.Snapshot(client.SessionId!)!.Record.Owner);
        Assert.Null(await stream.NextAsync()); // a clean end: the client knows from where to go on
        Assert.Equal("x", await client.CallAsync(cluster[1], "once", "x"));
    }

    [Fact]
    public async Task A_session_that_is_never_without_calls_is_handed_over_between_them()
    {
        await using var cluster = await InProcessCluster.StartAsync(options: o => o.DrainTimeout = TimeSpan.FromSeconds(80));
        using var client = await cluster.ConnectAsync();
        // Each call goes on until the next one has begun, or a little longer than it takes to begin: there is always one. The call of another
        // session keeps the replica from ending, which would be an end for connections, too.
        var begun = 0;
        var finish = new TaskCompletionSource();
        cluster.Tool.Body = async run =>
        {
            if (run.Argument == "last")
            {
                await cluster.Tool.UntilAsync(finish.Task);
                return "";
            }

            var mine = Interlocked.Increment(ref begun);
            using var work = new CancellationTokenSource(TimeSpan.FromMilliseconds(75));
            while (Volatile.Read(ref begun) == mine && !work.IsCancellationRequested)
                await Task.Delay(1);
            return run.Replica.ReplicaId;
        };
        using var other = await cluster.ConnectAsync();
        var last = other.CallAsync(cluster[0], "once", "last");
        await Wait.UntilAsync(() => cluster.Tool.Runs == 1, "the last call to run");
        using var stopped = new CancellationTokenSource();
        var loops = Enumerable.Range(0, 3).Select(async _ =>
        {
            List<string> owners = [];
            while (!stopped.IsCancellationRequested)
                owners.Add(await client.CallAsync(cluster[0], "once"));
            return owners;
        }).ToArray();
        await Wait.UntilAsync(() => Volatile.Read(ref begun) > 10, "the calls to run");

        var stopping = cluster[0].StopAsync();
        await Wait.UntilAsync(() => cluster[0].Session(client.SessionId!) is null, "the session to be handed over");
        stopped.Cancel();

        Assert.All(await Task.WhenAll(loops), owners => Assert.Equal(owners.Order(), owners));
        finish.SetResult();
        await last;
        await stopping.WaitAsync(Wait.Limit);
        Assert.Equal("replica-b", await client.CallAsync(cluster[1], "once"));
    }

    [Fact]
    public async Task A_lone_replica_that_drains_does_not_wait_for_requests_that_wait_for_another_one()
    {
        await using var cluster = await InProcessCluster.StartAsync(replicas: 1, options: o => o.DrainTimeout = TimeSpan.FromMinutes(5));
        using var client = await cluster.ConnectAsync();
        var finish = new TaskCompletionSource();
        cluster.Tool.Body = async run =>
        {
            await cluster.Tool.UntilAsync(finish.Task);
            return "done";
        };
        using var other = await cluster.ConnectAsync();
        var call = client.CallAsync(cluster[0], "once");
        await Wait.UntilAsync(() => cluster[0].Get<SessionHost>().CallCount == 1, "the call to run");

        var stopping = cluster[0].StopAsync();
        await Wait.UntilAsync(() => cluster[0].Get<SessionHost>().SessionCount == 1, "the other session to be given up");
        var waiting = other.PostAsync(cluster[0], other.Call("echo"));
        await Wait.UntilAsync(() => cluster[0].Get<SessionGate>().Held == 1, "the request to wait");
        Assert.False(waiting.IsCompleted);
        finish.SetResult();

        Assert.Equal("done", await call);
        using var refused = await waiting;
        Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.Status);
        await stopping.WaitAsync(Wait.Limit);
    }

    [Fact]
    public async Task A_call_in_flight_finishes_before_its_draining_owner_hands_the_session_over()
    {
        await using var cluster = await InProcessCluster.StartAsync(options: o => o.DrainTimeout = TimeSpan.FromMinutes(5));
        using var client = await cluster.ConnectAsync();
        var finish = new TaskCompletionSource();
        cluster.Tool.Body = async run =>
        {
            await run.ProgressAsync(1);
            await cluster.Tool.UntilAsync(finish.Task);
            return run.Replica.ReplicaId;
        };
        using var call = await client.PostAsync(cluster[0], client.Call("once", progress: true));
        await call.MessageAsync();
        var stopping = cluster[0].StopAsync();
        await Wait.UntilAsync(() => cluster[0].Get<SessionHost>().Draining, "the drain to begin");
        using var created = new RawClient();
        using var elsewhere = await created.PostAsync(cluster[0], created.Initialize());
        Assert.Equal(HttpStatusCode.OK, elsewhere.Status);

        finish.SetResult();

        Assert.Equal("replica-a", RawClient.TextOf(await call.AnswerAsync()));
        await stopping;
        Assert.Equal("replica-b", cluster.Snapshot(client.SessionId!)!.Record.Owner);
        Assert.Equal("replica-b", cluster.Snapshot(elsewhere.Header("Mcp-Session-Id")!)!.Record.Owner);
        Assert.Equal(1, cluster.Tool.Runs);
    }

    [Fact]
    public async Task Late_in_a_drain_what_must_not_run_twice_waits_for_the_next_owner_and_everything_else_goes_on()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();
        var finish = new TaskCompletionSource();
        HoldUp(cluster, finish.Task);
        using var late = new CancellationTokenSource();
        var running = client.CallAsync(cluster[0], "once", "long");
        await Wait.UntilAsync(() => cluster.Tool.Runs == 1, "the call to run");
        var moving = HandOverAsync(cluster[0], client, new(Hurry: default, late.Token, Overdue: default, CalledOff: default));
        Assert.Equal("replica-a", await client.CallAsync(cluster[0], "once"));

        await late.CancelAsync();
        var held = client.CallAsync(cluster[0], "once");
        Assert.Equal("replica-a", await client.CallAsync(cluster[0], "again"));
        Assert.Equal(3, cluster.Tool.Runs);
        Assert.False(held.IsCompleted);

        finish.SetResult();
        Assert.Equal("replica-a", await running);
        await moving.WaitAsync(Wait.Limit);
        Assert.Equal("replica-b", await held);
    }

    [Fact]
    public async Task What_waits_when_a_drain_is_over_is_served_by_the_next_owner_and_not_broken_off()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();
        var finish = new TaskCompletionSource();
        List<string> quick = [];
        cluster.Tool.Body = async run =>
        {
            if (run.Argument == "long")
                await cluster.Tool.UntilAsync(finish.Task);
            else
                quick.Add(run.Replica.ReplicaId);
            return run.Replica.ReplicaId;
        };
        using var late = new CancellationTokenSource();
        using var overdue = new CancellationTokenSource();
        using var running = await client.PostAsync(cluster[0], client.Call("once", "long"));
        await Wait.UntilAsync(() => cluster.Tool.Runs == 1, "the call to run");
        var moving = HandOverAsync(cluster[0], client, new(Hurry: late.Token, late.Token, overdue.Token, CalledOff: default));
        await late.CancelAsync();
        var held = client.CallAsync(cluster[0], "once", "quick");
        await WaitsAsync(cluster[0], client);
        Assert.False(held.IsCompleted);

        await overdue.CancelAsync();

        await moving.WaitAsync(Wait.Limit);
        Assert.Equal("replica-b", await held);
        Assert.Equal(["replica-b"], quick);
        Assert.Empty(await running.MessagesAsync());
        using var resumed = await client.GetAsync(cluster[1], running.Seen[^1].Id);
        Assert.Equal(JsonRpc.MayHaveRun, (int)(await resumed.AnswerAsync())["error"]!["code"]!);
        finish.SetResult();
    }

    // The client may have to call before it can answer, and the call that asks does not end before that.
    [Fact]
    public async Task Late_in_a_drain_a_client_that_was_asked_may_still_call()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();
        cluster.Tool.Body = async run => run.Argument == "asks" ? await run.AskAsync("name?") : run.Replica.ReplicaId;
        using var late = new CancellationTokenSource();
        using var asking = await client.PostAsync(cluster[0], client.Call("once", "asks"));
        var question = await asking.MessageAsync();
        var moving = HandOverAsync(cluster[0], client, new(Hurry: default, late.Token, Overdue: default, CalledOff: default));
        await late.CancelAsync();

        Assert.Equal("replica-a", await client.CallAsync(cluster[0], "once"));

        using var accepted = await client.PostAsync(cluster[0], RawClient.Answer(question, "Ada"));
        Assert.Equal("Ada", RawClient.TextOf(await asking.AnswerAsync()));
        await moving.WaitAsync(Wait.Limit);
        Assert.Equal("replica-b", await client.CallAsync(cluster[1], "once"));
    }

    // A session opened as SIGTERM came is handed over with the rest, whatever else a long call of another one holds up.
    [Fact]
    public async Task A_session_that_comes_while_a_replica_drains_is_handed_over_beside_the_others()
    {
        await using var cluster = await InProcessCluster.StartAsync(options: o => o.DrainTimeout = TimeSpan.FromMinutes(5));
        using var busy = await cluster.ConnectAsync();
        using var late = await cluster.ConnectAsync(1);
        var finish = new TaskCompletionSource();
        cluster.Tool.Body = async run =>
        {
            await cluster.Tool.UntilAsync(finish.Task);
            return run.Replica.ReplicaId;
        };
        var call = busy.CallAsync(cluster[0], "once");
        await Wait.UntilAsync(() => cluster.Tool.Runs == 1, "the call to run");
        await cluster.CutOffAsync(cluster[1]);
        var taking = cluster[0].Store.StopAfter("TakeOverAsync");
        var request = late.PostAsync(cluster[0], late.Request("ping"));
        await taking.Reached;
        var stopping = cluster[0].StopAsync();
        await Wait.UntilAsync(() => cluster[0].Get<SessionHost>().Draining, "the drain to begin");
        taking.LetGo();

        await Wait.UntilAsync(() => cluster.Snapshot(late.SessionId!)!.Record is { Epoch: 2, Owner: "" } or { Epoch: > 2 }, "the session to be handed over");

        Assert.False(call.IsCompleted);
        finish.SetResult();
        Assert.Equal("replica-a", await call);
        await stopping.WaitAsync(Wait.Limit);
        await Task.WhenAny(request);
    }

    [Fact]
    public async Task A_call_that_is_cancelled_while_it_waits_does_not_run_at_the_next_owner()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();
        var finish = new TaskCompletionSource();
        cluster.Tool.Body = async _ =>
        {
            await cluster.Tool.UntilAsync(finish.Task);
            return "";
        };
        using var late = new CancellationTokenSource();
        var running = client.CallAsync(cluster[0], "once");
        await Wait.UntilAsync(() => cluster.Tool.Runs == 1, "the call to run");
        var moving = HandOverAsync(cluster[0], client, new(Hurry: default, late.Token, Overdue: default, CalledOff: default));
        await late.CancelAsync();
        var call = client.Call("once");
        var held = client.PostAsync(cluster[0], call);
        await WaitsAsync(cluster[0], client);
        Assert.False(held.IsCompleted);
        using var accepted = await client.PostAsync(cluster[0], RawClient.Cancel(call));

        finish.SetResult();

        await moving.WaitAsync(Wait.Limit);
        using var withdrawn = await held;
        Assert.Equal(HttpStatusCode.Accepted, withdrawn.Status);
        await running;
        Assert.Equal("", await client.CallAsync(cluster[1], "once"));
        Assert.Equal(2, cluster.Tool.Runs);
    }

    [Fact]
    public async Task A_drain_that_is_called_off_lets_in_what_has_waited()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();
        var finish = new TaskCompletionSource();
        HoldUp(cluster, finish.Task);
        using var late = new CancellationTokenSource();
        using var calledOff = new CancellationTokenSource();
        var running = client.CallAsync(cluster[0], "once", "long");
        await Wait.UntilAsync(() => cluster.Tool.Runs == 1, "the call to run");
        var moving = HandOverAsync(cluster[0], client, new(Hurry: late.Token, late.Token, Overdue: default, calledOff.Token));
        await late.CancelAsync();
        var held = client.CallAsync(cluster[0], "once");
        await WaitsAsync(cluster[0], client);
        Assert.False(held.IsCompleted);

        await calledOff.CancelAsync();

        await moving.WaitAsync(Wait.Limit);
        Assert.Equal("replica-a", await held);
        finish.SetResult();
        Assert.Equal("replica-a", await running);
    }

    // Calls with "long" go on until then; all of them say where they ran.
    private static void HoldUp(InProcessCluster cluster, Task until) => cluster.Tool.Body = async run =>
    {
        if (run.Argument == "long")
            await cluster.Tool.UntilAsync(until);
        return run.Replica.ReplicaId;
    };

    private static Task WaitsAsync(InProcessReplica replica, RawClient client) => Wait.UntilAsync(
        () => replica.Session(client.SessionId!)!.Runner.Read(static core => core.Admission.Waiting == 1), "the call to wait for the move");

    private static Task HandOverAsync(InProcessReplica replica, RawClient client, HandOverTimes when) =>
        new HandOver(replica.Session(client.SessionId!)!, replica.Get<SessionOffers>()).RunAsync(replica.Get<SessionOffers>().Turns, when, CancellationToken.None);
}

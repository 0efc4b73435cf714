using System.Net;
using System.Text.Json.Nodes;
using Mcp.HighAvailability.Protocol;
using Mcp.HighAvailability.Storage;

namespace McpHa.Tests;

/// <summary>The store is away, answers late, or has lost its data.</summary>
public sealed class StoreOutageTests
{
    [Fact]
    public async Task What_is_durable_waits_for_the_store_and_comes_in_order_when_it_is_back()
    {
        await using var cluster = await InProcessCluster.StartAsync(1, o => o.DurableTimeout = TimeSpan.FromMinutes(1));
        using var client = await cluster.ConnectAsync();
        cluster.Tool.Body = async run =>
        {
            await run.ProgressAsync(1);
            _ = run.ProgressAsync(2);
            _ = run.ProgressAsync(3);
            return "done";
        };
        var committing = cluster[0].Store.StopBefore("CommitAsync", c => ((SessionCommit)c!).Append.Count > 0);
        var call = client.PostAsync(cluster[0], client.Call("again", progress: true));
        await committing.Reached;
        cluster[0].Store.Away = true;
        committing.Fail();
        Assert.Empty(cluster.Journal(client.SessionId!));
        cluster[0].Store.Away = false;

        using var answered = await call;

        Assert.Equal([1, 2, 3, 0], (await answered.MessagesAsync()).Select(m => (double?)m["params"]?["progress"] ?? 0));
        Assert.Equal(4, cluster.Journal(client.SessionId!).Count);
    }

    [Fact]
    public async Task An_answer_that_cannot_be_stored_in_time_ends_with_may_have_run_and_is_there_when_the_store_is_back()
    {
        await using var cluster = await InProcessCluster.StartAsync(1, o => o.DurableTimeout = TimeSpan.FromMilliseconds(150));
        using var client = await cluster.ConnectAsync();
        using var overdue = new Counted(cluster[0], "mcp.ha.calls.overdue");
        cluster.Tool.Body = async run =>
        {
            cluster[0].Store.Away = true;
            for (var n = 1; n <= 5; n++)
                _ = run.ProgressAsync(n);
            return "done";
        };
        using var call = await client.PostAsync(cluster[0], client.Call("once", progress: true));

        // Nothing of what the store does not have is shown.
        Assert.Equal(JsonRpc.MayHaveRun, (int)Assert.Single(await call.MessagesAsync())["error"]!["code"]!);
        Assert.Empty(cluster.Journal(client.SessionId!));
        Assert.Equal(1, overdue.Value);

        cluster[0].Store.Away = false;
        using var resumed = await client.GetAsync(cluster[0], call.LastId);

        Assert.Equal([1, 2, 3, 4, 5, 0], (await resumed.MessagesAsync()).Select(m => (double?)m["params"]?["progress"] ?? 0));
        Assert.Equal(Enumerable.Range(1, 6).Select(n => (long)n), cluster.Journal(client.SessionId!).Select(e => e.Position));
        Assert.Empty(cluster.Snapshot(client.SessionId!)!.Calls);
        Assert.Equal(1, cluster.Tool.Runs);
    }

    [Fact]
    public async Task A_relay_that_has_to_come_back_for_an_answer_counts_no_call_that_may_have_run()
    {
        await using var cluster = await InProcessCluster.StartAsync(1, o => o.DurableTimeout = TimeSpan.FromMilliseconds(150));
        using var client = await cluster.ConnectAsync();
        using var overdue = new Counted(cluster[0], "mcp.ha.calls.overdue");
        cluster.Tool.Body = run =>
        {
            cluster[0].Store.Away = true;
            return Task.FromResult("done");
        };
        using var call = await client.PostAsync(cluster[0], client.Call("once"), h => h.TryAddWithoutValidation("Mcp-Ha-Relay", "1"));
        await Assert.ThrowsAnyAsync<Exception>(call.MessagesAsync);
        Assert.Equal(0, overdue.Value);

        cluster[0].Store.Away = false;
        using var resumed = await client.GetAsync(cluster[0], call.LastId);

        Assert.Equal("done", RawClient.TextOf(Assert.Single(await resumed.MessagesAsync())));
        Assert.Equal(0, overdue.Value);
    }

    [Fact]
    public async Task A_session_that_the_store_has_lost_is_written_back_with_its_state_and_goes_on()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();
        cluster.Tool.Body = async run => $"{await run.State.UpdateAsync<int>("n", n => n + 1)}";
        Assert.Equal("1", await client.CallAsync(cluster[0], "again"));
        using (var level = await client.PostAsync(cluster[0], client.Request("logging/setLevel", new JsonObject { ["level"] = "error" })))
            await level.AnswerAsync();
        cluster.Sessions.Clear();

        Assert.Equal("2", await client.CallAsync(cluster[0], "again"));
        cluster.Sessions.Clear();
        Assert.Equal("3", await client.CallAsync(cluster[1], "again"));
        await cluster.CutOffAsync(cluster[0]);

        Assert.Equal("4", await client.CallAsync(cluster[1], "again"));
        Assert.Equal(ModelContextProtocol.Protocol.LoggingLevel.Error, cluster[1].Session(client.SessionId!)!.LogLevel());
    }

    [Fact]
    public async Task A_call_in_flight_survives_the_loss_of_the_stores_data_and_then_of_its_owner()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();
        cluster.Tool.Body = async run =>
        {
            await run.ProgressAsync(1);
            if (run.Replica.ReplicaId == "replica-b")
                return "done";
            cluster.Sessions.Clear();
            await run.ProgressAsync(2);
            await cluster.Tool.UntilAsync(new TaskCompletionSource().Task);
            return "";
        };
        using var call = await client.PostAsync(cluster[0], client.Call("again", progress: true));
        await call.MessageAsync();
        await call.MessageAsync();
        await cluster.CutOffAsync(cluster[0]);

        using var resumed = await client.GetAsync(cluster[1], call.LastId);

        Assert.Equal("done", RawClient.TextOf(Assert.Single(await resumed.MessagesAsync())));
    }

    [Fact]
    public async Task A_resume_is_held_while_the_store_is_away()
    {
        await using var cluster = await InProcessCluster.StartAsync(1);
        using var client = await cluster.ConnectAsync();
        var read = new TaskCompletionSource();
        cluster.Tool.Body = async run =>
        {
            await cluster.Tool.UntilAsync(read.Task);
            return run.Argument;
        };
        using var call = await client.PostAsync(cluster[0], client.Call("once", "x"));
        await call.NextAsync();
        var primed = call.LastId;
        read.SetResult();
        await call.AnswerAsync();
        cluster[0].Store.Away = true;
        var resuming = client.GetAsync(cluster[0], primed);
        var stream = client.GetAsync(cluster[0], "g1x1-0");
        using var open = await client.GetAsync(cluster[0]);
        Assert.Null((await open.NextAsync())!.Message);
        Assert.False(resuming.IsCompleted);

        cluster[0].Store.Away = false;

        using var resumed = await resuming;
        Assert.Equal("x", RawClient.TextOf(Assert.Single(await resumed.MessagesAsync())));
        (await stream).Dispose();
    }

    [Fact]
    public async Task Requests_for_a_session_are_held_while_nobody_can_tell_its_owner()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();
        await cluster.CutOffAsync(cluster[0]);
        cluster[1].Store.Away = true;
        var call = client.CallAsync(cluster[1], "once", "x");
        using var refusedToRelay = await client.PostAsync(cluster[1], client.Call("once", "relay"), h => h.TryAddWithoutValidation("Mcp-Ha-Relay", "1"));
        Assert.Equal(HttpStatusCode.ServiceUnavailable, refusedToRelay.Status);
        Assert.Equal("1", refusedToRelay.Header("Mcp-Ha-Transient"));
        Assert.False(call.IsCompleted);

        cluster[1].Store.Away = false;

        Assert.Equal("x", await call);
    }

    [Fact]
    public async Task A_commit_that_breaks_ends_its_session_here_and_it_goes_on_with_a_new_epoch()
    {
        await using var cluster = await InProcessCluster.StartAsync(1);
        using var client = await cluster.ConnectAsync();
        cluster.ErrorsExpected = true;
        using var other = await cluster.ConnectAsync();
        cluster.Tool.Body = async run =>
        {
            await run.State.SetAsync("key", 1);
            return run.Argument;
        };
        await client.CallAsync(cluster[0], "again");
        cluster[0].Session(client.SessionId!)!.Runner.Run(static core =>
        {
            core.Commits.Open().Append(new() { Position = 1, Stream = "c1x1", Payload = default, Time = default });
            return true;
        });

        Assert.Equal("x", await client.CallAsync(cluster[0], "again", "x"));

        Assert.Equal(2, cluster.Snapshot(client.SessionId!)!.Record.Epoch);
        Assert.Equal("y", await other.CallAsync(cluster[0], "again", "y"));
        Assert.Equal(1, cluster.Snapshot(other.SessionId!)!.Record.Epoch);
    }

    [Fact]
    public async Task A_session_that_nobody_uses_is_ended_on_time_and_one_with_a_stream_is_kept()
    {
        await using var cluster = await InProcessCluster.StartAsync(1, storeOptions: o => o.IdleTimeout = TimeSpan.FromSeconds(5));
        using var idle = await cluster.ConnectAsync();
        using var used = await cluster.ConnectAsync();
        using var stream = await used.GetAsync(cluster[0]);

        await Wait.UntilAsync(() => cluster[0].Session(idle.SessionId!) is null, "the idle session to end");

        Assert.NotNull(cluster[0].Session(used.SessionId!));
        using var gone = await idle.PostAsync(cluster[0], idle.Call("once"));
        Assert.Equal(HttpStatusCode.NotFound, gone.Status);
        Assert.Equal("x", await used.CallAsync(cluster[0], "once", "x"));
    }

    [Fact]
    public async Task A_damaged_session_keeps_the_sweep_from_no_other()
    {
        await using var cluster = await InProcessCluster.StartAsync(1, storeOptions: o => o.IdleTimeout = TimeSpan.FromSeconds(2));
        cluster.ErrorsExpected = true;
        var damaged = cluster[0].Store.StopBefore("EndAsync");
        using var one = await cluster.ConnectAsync();
        using var two = await cluster.ConnectAsync();

        await damaged.Reached;
        damaged.Fail(new InvalidDataException("what is stored is no session"));

        await Wait.UntilAsync(() => cluster[0].Session(one.SessionId!) is null && cluster[0].Session(two.SessionId!) is null, "both sessions to end");
        using var third = await cluster.ConnectAsync();
        await Wait.UntilAsync(() => cluster[0].Session(third.SessionId!) is null, "the sweep to go on");
    }

    [Fact]
    public async Task The_sweep_of_idle_sessions_outlives_a_fence()
    {
        await using var cluster = await InProcessCluster.StartAsync(storeOptions: o => o.IdleTimeout = TimeSpan.FromSeconds(5));
        using var moved = await cluster.ConnectAsync();
        using var idle = await cluster.ConnectAsync();
        using var stream = await moved.GetAsync(cluster[0]);
        await cluster.CutOffAsync(cluster[0]);
        using var elsewhere = await moved.GetAsync(cluster[1]);

        // The sweep touches the session for its open stream, and meets the fence.
        await stream.NextAsync();
        await stream.BrokenAsync();
        await Wait.UntilAsync(() => cluster[0].Session(idle.SessionId!) is null, "the idle session to end");
    }
}

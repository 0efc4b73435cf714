using System.Net;
using System.Text.Json.Nodes;
using McpHa.HighAvailability;
using McpHa.HighAvailability.Sessions;

namespace McpHa.Tests;

/// <summary>A session changes its owner while the old one lives on.</summary>
public sealed class TakeOverTests
{
    [Fact]
    public async Task A_session_goes_on_at_another_replica_under_its_id()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();
        Assert.Equal("before", await client.CallAsync(cluster[0], "again", "before"));

        await cluster.CutOffAsync(cluster[0]);

        Assert.Equal("after", await client.CallAsync(cluster[1], "again", "after"));
        Assert.Equal("replica-b", cluster.Snapshot(client.SessionId!)!.Record.Owner);
        Assert.Equal(2, cluster.Snapshot(client.SessionId!)!.Record.Epoch);
    }

    [Fact]
    public async Task A_request_at_a_replica_that_is_not_the_owner_is_served_by_the_owner()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();

        Assert.Equal("x", await client.CallAsync(cluster[1], "once", "x"));

        Assert.Equal(("replica-a", "x"), Assert.Single(cluster.Tool.Log));
        Assert.Equal(1, cluster.Snapshot(client.SessionId!)!.Record.Epoch);
    }

    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    public async Task A_response_that_a_peer_passes_on_goes_on_when_the_owner_is_lost(int replicas)
    {
        await using var cluster = await InProcessCluster.StartAsync(replicas);
        using var client = await cluster.ConnectAsync();
        var never = new TaskCompletionSource();
        cluster.Tool.Body = async run =>
        {
            await run.ProgressAsync(1);
            if (run.Replica.ReplicaId == "replica-a")
                await cluster.Tool.UntilAsync(never.Task);
            await run.ProgressAsync(2);
            return "done";
        };
        using var stream = await client.GetAsync(cluster[1]);
        Assert.Null((await stream.NextAsync())!.Message);
        using var call = await client.PostAsync(cluster[1], client.Call("again", progress: true));
        Assert.Equal(1, (double)(await call.MessageAsync())["params"]!["progress"]!);

        await cluster.CutOffAsync(cluster[0]);
        var rest = await call.MessagesAsync();
        await cluster[replicas - 1].Get<IClusterNotifier>().ToolsChangedAsync();

        Assert.Equal(2, rest.Count);
        Assert.Equal(2, (double)rest[0]["params"]!["progress"]!);
        Assert.Equal("done", RawClient.TextOf(rest[1]));
        Assert.Equal(call.Seen.Select(e => e.Id).Distinct(), call.Seen.Select(e => e.Id));
        Assert.Equal("notifications/tools/list_changed", (string?)(await stream.MessageAsync())["method"]);
    }

    [Fact]
    public async Task What_a_fenced_owner_goes_on_to_emit_reaches_no_stream_and_no_journal()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();
        TaskCompletionSource letGo = new(), over = new();
        cluster.Tool.Body = async run =>
        {
            await run.ProgressAsync(1);
            if (run.Replica.ReplicaId == "replica-b")
            {
                await run.ProgressAsync(2);
                return "from b";
            }

            await cluster.Tool.UntilAsync(letGo.Task);
            try
            {
                // Differs from what the new owner sends, so any of it would be seen.
                await run.ProgressAsync(1.5);
                await run.LogAsync("from a");
            }
            finally
            {
                over.SetResult();
            }

            return "from a";
        };
        using var old = await client.PostAsync(cluster[0], client.Call("again", progress: true));
        Assert.Equal(1, (double)(await old.MessageAsync())["params"]!["progress"]!);
        await cluster.CutOffAsync(cluster[0]);

        using var resumed = await client.GetAsync(cluster[1], old.LastId);
        var messages = await resumed.MessagesAsync();
        var written = cluster.Journal(client.SessionId!).Count;
        letGo.SetResult();
        await over.Task.WaitAsync(Exchange.Patience);
        await old.BrokenAsync();

        Assert.Equal(2, messages.Count);
        Assert.Equal(2, (double)messages[0]["params"]!["progress"]!);
        Assert.Equal("from b", RawClient.TextOf(messages[1]));
        Assert.Equal(written, cluster.Journal(client.SessionId!).Count);
        await Wait.UntilAsync(() => cluster[0].Session(client.SessionId!) is null, "the old owner to end its copy");
    }

    [Fact]
    public async Task A_response_whose_commit_is_fenced_cuts_the_connection_that_waits_for_it()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();
        cluster.Tool.Body = async run =>
        {
            await run.ProgressAsync(1);
            return run.Replica.ReplicaId;
        };
        var answering = cluster[0].Store.StopBefore("CommitAsync", c => ((SessionCommit)c!).Append.Any(e => e.Answers.Length > 0));
        using var old = await client.PostAsync(cluster[0], client.Call("again", progress: true));
        await old.MessageAsync();
        await answering.Reached;
        await cluster.CutOffAsync(cluster[0]);

        using var resumed = await client.GetAsync(cluster[1], old.LastId);
        var answer = await resumed.AnswerAsync();
        answering.LetGo();
        await old.BrokenAsync();

        Assert.Equal("replica-b", RawClient.TextOf(answer));
        Assert.Single(cluster.Journal(client.SessionId!), e => e.Answers.Length > 0);
    }

    [Fact]
    public async Task A_response_that_was_committed_before_the_owner_was_lost_is_replayed_and_not_computed_again()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();
        cluster.Tool.Body = run => run.State.UpdateAsync<int>("n", n => n + 1).AsTask().ContinueWith(t => t.Result.ToString(), TaskScheduler.Default);
        var answered = cluster[0].Store.StopAfter("CommitAsync", c => ((SessionCommit)c!).Append.Any(e => e.Answers.Length > 0));
        var call = client.Call("once");
        var lost = client.PostAsync(cluster[0], call);
        await answered.Reached;
        await cluster.CutOffAsync(cluster[0]);

        using var repeated = await client.PostAsync(cluster[1], call);

        Assert.Equal("1", RawClient.TextOf(await repeated.AnswerAsync()));
        Assert.Equal("2", await client.CallAsync(cluster[1], "once"));
        Assert.Equal(2, cluster.Tool.Runs);

        // The old owner is told that the commit is in, after it was fenced. What it answers now is what the new one has answered.
        answered.LetGo();
        using var late = await lost;
        Assert.Equal("1", RawClient.TextOf(await late.AnswerAsync()));
    }

    [Fact]
    public async Task Of_two_replicas_that_take_over_at_once_one_wins_and_the_other_forwards_to_it()
    {
        await using var cluster = await InProcessCluster.StartAsync(3);
        using var client = await cluster.ConnectAsync();
        await cluster.CutOffAsync(cluster[0]);
        var b = cluster[1].Store.StopBefore("TakeOverAsync");
        var c = cluster[2].Store.StopBefore("TakeOverAsync");

        var one = client.CallAsync(cluster[1], "once", "1");
        var two = client.CallAsync(cluster[2], "once", "2");
        await Task.WhenAll(b.Reached, c.Reached);
        b.LetGo();
        c.LetGo();

        Assert.Equal(["1", "2"], await Task.WhenAll(one, two));
        Assert.Equal(2, cluster.Snapshot(client.SessionId!)!.Record.Epoch);
        Assert.Single(cluster.Tool.Log.Select(l => l.Replica).Distinct());
        Assert.Equal(2, cluster.Tool.Runs);
    }

    [Fact]
    public async Task A_look_at_the_owner_that_is_out_of_date_does_not_serve_an_epoch_twice()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();
        await cluster.CutOffAsync(cluster[0]);
        var looked = cluster[1].Store.StopAfter("FindAsync");
        var late = client.CallAsync(cluster[1], "once", "late");
        await looked.Reached;
        Assert.Equal("early", await client.CallAsync(cluster[1], "once", "early"));
        var session = cluster[1].Session(client.SessionId!);

        looked.LetGo();

        Assert.Equal("late", await late);
        Assert.Same(session, cluster[1].Session(client.SessionId!));
        Assert.Equal(2, cluster.Snapshot(client.SessionId!)!.Record.Epoch);
    }

    [Fact]
    public async Task A_call_that_must_not_run_twice_ends_with_an_error_that_says_it_may_have_run()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();
        var never = new TaskCompletionSource();
        cluster.Tool.Body = async run =>
        {
            await run.ProgressAsync(1);
            await cluster.Tool.UntilAsync(never.Task);
            return "";
        };
        using var old = await client.PostAsync(cluster[0], client.Call("once", id: "my-id", progress: true));
        await old.MessageAsync();
        await cluster.CutOffAsync(cluster[0]);

        using var resumed = await client.GetAsync(cluster[1], old.LastId);
        var answer = await resumed.AnswerAsync();

        Assert.Equal("my-id", (string?)answer["id"]);
        Assert.Equal(-32010, (int)answer["error"]!["code"]!);
        Assert.Equal("my-id", (string?)answer["error"]!["data"]!["requestId"]);
        Assert.Equal("replica-lost", (string?)answer["error"]!["data"]!["reason"]);
        Assert.Contains("may have run", (string?)answer["error"]!["message"], StringComparison.Ordinal);
        Assert.Equal(1, cluster.Tool.Runs);
    }

    [Fact]
    public async Task A_call_that_must_not_run_twice_is_written_down_before_it_runs_once()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();
        var begin = cluster[0].Store.StopBefore("CommitAsync", c => ((SessionCommit)c!).Calls.Count > 0);

        var call = client.CallAsync(cluster[0], "once", "x");
        await begin.Reached;
        Assert.Equal(0, cluster.Tool.Runs);
        begin.LetGo();

        Assert.Equal("x", await call);
    }

    [Fact]
    public async Task A_call_whose_beginning_was_fenced_is_run_by_the_new_owner_alone()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();
        var begin = cluster[0].Store.StopBefore("CommitAsync", c => ((SessionCommit)c!).Calls.Count > 0);
        var call = client.CallAsync(cluster[0], "once", "x");
        await begin.Reached;
        await cluster.CutOffAsync(cluster[0]);
        await client.CallAsync(cluster[1], "again", "other");

        begin.LetGo();

        Assert.Equal("x", await call);
        Assert.Equal([("replica-b", "other"), ("replica-b", "x")], cluster.Tool.Log);
    }

    [Fact]
    public async Task Progress_and_log_messages_that_were_sent_are_not_sent_again_by_the_next_run()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();
        var never = new TaskCompletionSource();
        cluster.Tool.Body = async run =>
        {
            await run.LogAsync("same");
            await run.ProgressAsync(1);
            await run.LogAsync("same");
            if (run.Replica.ReplicaId == "replica-a")
            {
                await run.ProgressAsync(2);
                await cluster.Tool.UntilAsync(never.Task);
            }

            await run.ProgressAsync(2);
            await run.LogAsync("same");
            await run.ProgressAsync(3);
            return "done";
        };
        using var old = await client.PostAsync(cluster[0], client.Call("again", progress: true));
        for (var n = 0; n < 4; n++)
            await old.MessageAsync();
        await cluster.CutOffAsync(cluster[0]);

        using var resumed = await client.GetAsync(cluster[1], old.LastId);
        var rest = await resumed.MessagesAsync();

        Assert.Equal(3, rest.Count);
        Assert.Equal("same", (string?)rest[0]["params"]!["data"]);
        Assert.Equal(3, (double)rest[1]["params"]!["progress"]!);
        Assert.Equal("done", RawClient.TextOf(rest[2]));
    }

    [Fact]
    public async Task What_is_run_again_does_not_see_the_user_of_the_request_that_caused_the_take_over()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();
        var never = new TaskCompletionSource();
        var flow = new AsyncLocal<string?>();
        string? seen = "nothing";
        cluster.Tool.Body = async run =>
        {
            await run.ProgressAsync(1);
            if (run.Replica.ReplicaId == "replica-a")
                await cluster.Tool.UntilAsync(never.Task);
            seen = System.Diagnostics.Activity.Current?.TraceId.ToString();
            return "";
        };
        using var listener = new System.Diagnostics.ActivityListener
        {
            ShouldListenTo = s => s.Name == "Microsoft.AspNetCore",
            Sample = (ref System.Diagnostics.ActivityCreationOptions<System.Diagnostics.ActivityContext> _) => System.Diagnostics.ActivitySamplingResult.AllData,
        };
        System.Diagnostics.ActivitySource.AddActivityListener(listener);
        using var old = await client.PostAsync(cluster[0], client.Call("again", progress: true));
        await old.MessageAsync();
        await cluster.CutOffAsync(cluster[0]);

        using var resumed = await client.GetAsync(
            cluster[1], old.LastId, h => h.TryAddWithoutValidation("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"));
        await resumed.AnswerAsync();

        Assert.NotEqual("0af7651916cd43dd8448eb211c80319c", seen);
    }

    [Fact]
    public async Task What_is_run_again_runs_for_the_user_of_the_session()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync(user: "ada");
        var never = new TaskCompletionSource();
        cluster.Tool.Body = async run =>
        {
            await run.ProgressAsync(1);
            if (run.Replica.ReplicaId == "replica-a")
                await cluster.Tool.UntilAsync(never.Task);
            return $"{run.User}";
        };
        using var old = await client.PostAsync(cluster[0], client.Call("again", progress: true));
        await old.MessageAsync();
        await cluster.CutOffAsync(cluster[0]);

        // Whoever asks for the session causes the take-over, but gets nothing of it.
        client.User = "eve";
        using var foreign = await client.GetAsync(cluster[1], old.LastId);
        Assert.Equal(HttpStatusCode.Forbidden, foreign.Status);
        client.User = "ada";
        using var resumed = await client.GetAsync(cluster[1], old.LastId);

        Assert.Equal("ada", RawClient.TextOf(await resumed.AnswerAsync()));
    }

    [Fact]
    public async Task A_session_whose_requests_all_came_before_keeps_log_level_subscription_and_revision()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync(version: "2025-06-18");
        foreach (var (method, parameters) in new[]
        {
            ("logging/setLevel", new JsonObject { ["level"] = "error" }),
            ("resources/subscribe", new JsonObject { ["uri"] = "test://one" }),
            ("resources/subscribe", new JsonObject { ["uri"] = "test://two" }),
            ("resources/unsubscribe", new JsonObject { ["uri"] = "test://two" }),
        })
        {
            using var answer = await client.PostAsync(cluster[0], client.Request(method, parameters));
            Assert.NotNull((await answer.AnswerAsync())["result"]);
        }

        await cluster.CutOffAsync(cluster[0]);
        string? negotiated = null;
        cluster.Tool.Body = run =>
        {
            negotiated = run.Server.NegotiatedProtocolVersion;
            return Task.FromResult("");
        };
        await client.CallAsync(cluster[1], "again");

        var session = cluster[1].Session(client.SessionId!)!;
        Assert.Equal(ModelContextProtocol.Protocol.LoggingLevel.Error, session.ClientLogLevel);
        Assert.True(session.IsSubscribed("test://one"));
        Assert.False(session.IsSubscribed("test://two"));
        Assert.Equal("2025-06-18", negotiated);
    }

    [Fact]
    public async Task A_replica_that_drains_hands_its_sessions_over_at_once()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();
        await client.CallAsync(cluster[0], "again");
        using var stream = await client.GetAsync(cluster[0]);
        await stream.NextAsync();

        await cluster[0].StopAsync();

        Assert.Equal("", cluster.Snapshot(client.SessionId!)!.Record.Owner);
        await stream.BrokenAsync();
        Assert.Equal("x", await client.CallAsync(cluster[1], "once", "x"));
    }

    [Fact]
    public async Task A_call_in_flight_finishes_before_its_draining_owner_hands_the_session_over()
    {
        await using var cluster = await InProcessCluster.StartAsync(options: o => o.DrainTimeout = TimeSpan.FromSeconds(20));
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
        Assert.Equal("", cluster.Snapshot(client.SessionId!)!.Record.Owner);
        Assert.Equal("replica-b", cluster.Snapshot(elsewhere.Header("Mcp-Session-Id")!)!.Record.Owner);
        Assert.Equal(1, cluster.Tool.Runs);
    }
}

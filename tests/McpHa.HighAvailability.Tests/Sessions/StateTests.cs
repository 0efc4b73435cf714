using System.Text;
using System.Text.Json.Nodes;
using Mcp.HighAvailability.Storage;

namespace McpHa.Tests;

/// <summary>State changes with the answer, exactly once.</summary>
public sealed class StateTests
{
    [Fact]
    public async Task Concurrent_calls_of_a_session_change_its_state_one_after_the_other()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();
        cluster.Tool.Body = async run =>
        {
            var n = await run.State.GetAsync<int>("n");
            await Task.Yield();
            await run.State.SetAsync("n", n + 1);
            return $"{n + 1}";
        };

        var answers = await Task.WhenAll(Enumerable.Range(0, 40).Select(n => client.CallAsync(cluster[n % 2], n % 3 == 0 ? "once" : "again")));

        Assert.Equal(Enumerable.Range(1, 40), answers.Select(int.Parse).Order());
        Assert.Equal("40", Stored(cluster, client, "n"));
    }

    [Fact]
    public async Task An_update_that_outlives_its_call_holds_up_nothing()
    {
        await using var cluster = await InProcessCluster.StartAsync(1);
        using var client = await cluster.ConnectAsync();
        using var release = new ManualResetEventSlim();
        var updating = new TaskCompletionSource();
        Task? update = null;
        cluster.Tool.Body = async run =>
        {
            update = Task.Run(async () => await run.State.UpdateAsync<int>("n", _ =>
            {
                updating.TrySetResult();
                release.Wait();
                return 100;
            }));
            await cluster.Tool.UntilAsync(updating.Task);
            return "done";
        };
        try
        {
            Assert.Equal("done", await client.CallAsync(cluster[0], "once").WaitAsync(Wait.Limit));
            cluster.Tool.Body = run => Task.FromResult("next");
            Assert.Equal("next", await client.CallAsync(cluster[0], "once").WaitAsync(Wait.Limit));
        }
        finally
        {
            release.Set();
        }

        // The call has ended without it.
        await update!;
        Assert.Null(Stored(cluster, client, "n"));
    }

    [Fact]
    public async Task Updates_that_one_call_makes_at_once_all_count()
    {
        await using var cluster = await InProcessCluster.StartAsync(1);
        using var client = await cluster.ConnectAsync();
        cluster.Tool.Body = async run =>
        {
            using var both = new Barrier(2);
            var runs = 0;
            await Task.WhenAll(Enumerable.Range(0, 2).Select(_ => Task.Factory.StartNew(async () => await run.State.UpdateAsync<int>("n", n =>
            {
                // Both have read the value before either has set it.
                if (Interlocked.Increment(ref runs) <= 2)
                    both.SignalAndWait(Wait.Limit);
                return n + 1;
            }), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default).Unwrap()));
            return $"{runs} runs";
        };

        Assert.Equal("3 runs", await client.CallAsync(cluster[0], "once"));
        Assert.Equal("2", Stored(cluster, client, "n"));
    }

    [Fact]
    public async Task A_call_that_fails_leaves_the_state_as_it_was()
    {
        await using var cluster = await InProcessCluster.StartAsync(1);
        using var client = await cluster.ConnectAsync();
        await AddAsync(cluster, client);
        cluster.Tool.Body = async run =>
        {
            await run.State.SetAsync("n", 100);
            await run.State.RemoveAsync("other");
            throw new InvalidOperationException("fails");
        };
        using (var failed = await client.PostAsync(cluster[0], client.Call("once")))
            Assert.True((bool)(await failed.AnswerAsync())["result"]!["isError"]!);

        Assert.Equal("1", Stored(cluster, client, "n"));
        Assert.Equal("2", await AddAsync(cluster, client));
    }

    [Fact]
    public async Task A_call_sees_its_own_writes_and_others_see_them_with_the_answer_only()
    {
        await using var cluster = await InProcessCluster.StartAsync(1);
        using var client = await cluster.ConnectAsync();
        var finish = new TaskCompletionSource();
        cluster.Tool.Body = async run =>
        {
            await run.State.SetAsync("n", 7);
            await run.ProgressAsync(await run.State.GetAsync<int>("n"));
            await cluster.Tool.UntilAsync(finish.Task);
            return "";
        };
        using var call = await client.PostAsync(cluster[0], client.Call("once", progress: true));
        Assert.Equal(7, (double)(await call.MessageAsync())["params"]!["progress"]!);
        Assert.Null(Stored(cluster, client, "n"));

        finish.SetResult();
        await call.AnswerAsync();

        Assert.Equal("7", Stored(cluster, client, "n"));
    }

    [Fact]
    public async Task A_call_that_is_run_again_after_its_owner_was_lost_takes_effect_once()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();
        await AddAsync(cluster, client);
        var writing = cluster[0].Store.StopBefore("CommitAsync", c => ((SessionCommit)c!).State.Count > 0);
        var call = client.Call("again");
        var lost = client.PostAsync(cluster[0], call);
        await writing.Reached;
        await cluster.CutOffAsync(cluster[0]);

        using var repeated = await client.PostAsync(cluster[1], call);
        Assert.Equal("2", RawClient.TextOf(await repeated.AnswerAsync()));
        writing.LetGo();

        // What had begun as a stream is cut, what had not is answered by the new owner.
        using var late = await lost;
        if (late.IsStream)
            await Assert.ThrowsAnyAsync<IOException>(late.MessagesAsync);
        else
            Assert.Equal("2", RawClient.TextOf(await late.AnswerAsync()));
        Assert.Equal("2", Stored(cluster, client, "n"));
    }

    [Fact]
    public async Task A_commit_whose_confirmation_was_lost_is_applied_once()
    {
        await using var cluster = await InProcessCluster.StartAsync(1);
        using var client = await cluster.ConnectAsync();
        await AddAsync(cluster, client);
        var written = cluster[0].Store.StopAfter("CommitAsync", c => ((SessionCommit)c!).State.Count > 0);
        var call = AddAsync(cluster, client);
        await written.Reached;
        written.Fail();

        Assert.Equal("2", await call);
        Assert.Equal("3", await AddAsync(cluster, client));
        Assert.Equal(3, cluster.Journal(client.SessionId!).Count);
    }

    [Fact]
    public async Task A_handle_is_shared_by_sessions_and_changed_exactly_once_per_call()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var one = await cluster.ConnectAsync(0);
        using var two = await cluster.ConnectAsync(1);
        cluster.Tool.Body = AddToHandleAsync;
        var handle = (await one.CallAsync(cluster[0], "again")).Split(' ')[0];

        await Task.WhenAll(Enumerable.Range(0, 8).Select(n => (n % 2 == 0 ? one : two).CallAsync(cluster[n % 2], "again", handle)));

        Assert.Equal($"{handle} 10", await two.CallAsync(cluster[1], "again", handle));
    }

    [Fact]
    public async Task A_call_waits_for_its_handle_while_the_store_is_away()
    {
        await using var cluster = await InProcessCluster.StartAsync(1);
        using var client = await cluster.ConnectAsync();
        cluster.Tool.Body = AddToHandleAsync;
        var handle = (await client.CallAsync(cluster[0], "again")).Split(' ')[0];

        cluster.Handles.Away = true;
        var reading = client.CallAsync(cluster[0], "again", handle);
        await Wait.UntilAsync(() => cluster.Handles.Refused > 0, "the call to ask for its handle");
        cluster.Handles.Away = false;
        Assert.Equal($"{handle} 2", await reading);

        // Written, and the answer is lost: the repetition is recognised.
        var written = cluster.Handles.StopAfter("CommitAsync");
        var writing = client.CallAsync(cluster[0], "again", handle);
        await written.Reached;
        written.Fail();
        Assert.Equal($"{handle} 3", await writing);
        Assert.Equal($"{handle} 4", await client.CallAsync(cluster[0], "again", handle));
    }

    [Fact]
    public async Task Handles_opened_at_the_same_time_by_one_call_are_all_committed()
    {
        await using var cluster = await InProcessCluster.StartAsync(1);
        using var client = await cluster.ConnectAsync();
        cluster.Tool.Body = async run =>
        {
            using var barrier = new Barrier(8);
            return string.Join(' ', await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Factory.StartNew(async () =>
            {
                barrier.SignalAndWait();
                var handle = await run.State.OpenAsync(null);
                await handle.SetAsync("n", 1);
                return handle.Handle;
            }, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default).Unwrap())));
        };
        var handles = await client.CallAsync(cluster[0], "again");
        cluster.Tool.Body = AddToHandleAsync;

        foreach (var handle in handles.Split(' '))
            Assert.Equal($"{handle} 2", await client.CallAsync(cluster[0], "again", handle));
    }

    [Fact]
    public async Task A_handle_is_changed_once_also_when_the_sessions_own_commit_is_lost_after_it()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();
        cluster.Tool.Body = AddToHandleAsync;
        var handle = (await client.CallAsync(cluster[0], "again")).Split(' ')[0];
        var answering = cluster[0].Store.StopBefore("CommitAsync", c => ((SessionCommit)c!).Append.Any(e => e.Answers.Length > 0));

        // Its beginning is written first, so that the next owner knows of the call by itself.
        var inTable = cluster.Handles.StopBefore("CommitAsync");
        var call = client.Call("again", handle);
        using var lost = await client.PostAsync(cluster[0], call);
        await lost.NextAsync();
        await inTable.Reached;
        inTable.LetGo();
        await answering.Reached;
        await cluster.CutOffAsync(cluster[0]);

        using var resumed = await client.GetAsync(cluster[1], lost.LastId);
        Assert.Equal($"{handle} 2", RawClient.TextOf(await resumed.AnswerAsync()));
        Assert.Equal(3, cluster.Tool.Runs);
        Assert.Equal($"{handle} 3", await client.CallAsync(cluster[1], "again", handle));
    }

    [Fact]
    public async Task A_call_that_conflicts_is_run_again_when_it_may_be_and_refused_otherwise()
    {
        await using var cluster = await InProcessCluster.StartAsync(1);
        using var client = await cluster.ConnectAsync();
        cluster.Tool.Body = AddToHandleAsync;
        var handle = (await client.CallAsync(cluster[0], "again")).Split(' ')[0];

        var rerun = cluster.Handles.StopBefore("CommitAsync");
        var again = client.CallAsync(cluster[0], "again", handle);
        await rerun.Reached;
        Assert.Equal($"{handle} 2", await client.CallAsync(cluster[0], "again", handle));
        rerun.LetGo();
        Assert.Equal($"{handle} 3", await again);

        var refuse = cluster.Handles.StopBefore("CommitAsync");
        var once = client.PostAsync(cluster[0], client.Call("once", handle));
        await refuse.Reached;
        Assert.Equal($"{handle} 4", await client.CallAsync(cluster[0], "again", handle));
        refuse.LetGo();
        using var refused = await once;
        var answer = await refused.AnswerAsync();
        Assert.Contains("same time", answer.ToJsonString(), StringComparison.Ordinal);
        Assert.Equal($"{handle} 5", await client.CallAsync(cluster[0], "again", handle));
    }

    [Fact]
    public async Task Handles_that_are_unknown_foreign_or_expired_look_the_same()
    {
        await using var cluster = await InProcessCluster.StartAsync(1);
        using var ada = await cluster.ConnectAsync(user: "ada");
        using var eve = await cluster.ConnectAsync(user: "eve");
        cluster.Tool.Body = AddToHandleAsync;
        var handle = (await ada.CallAsync(cluster[0], "again")).Split(' ')[0];

        var foreign = await RefusedAsync(eve, handle);
        var unknown = await RefusedAsync(ada, "h-" + new string('0', 32));
        var malformed = await RefusedAsync(ada, "nonsense");
        Assert.Equal($"{handle} 2", await ada.CallAsync(cluster[0], "again", handle));
        cluster.Clock.Shift = TimeSpan.FromDays(2);
        var expired = await RefusedAsync(ada, handle);

        Assert.Contains("handle", foreign, StringComparison.Ordinal);
        Assert.Equal([foreign, foreign, foreign], [unknown, malformed, expired]);

        async Task<string> RefusedAsync(RawClient client, string text)
        {
            using var refused = await client.PostAsync(cluster[0], client.Call("once", text));
            var answer = await refused.AnswerAsync();
            return (string?)answer["error"]?["message"] ?? RawClient.TextOf(answer);
        }
    }

    private static async Task<string> AddToHandleAsync(ToolRun run)
    {
        var handle = await run.State.OpenAsync(run.Argument.Length > 0 ? run.Argument : null);
        var n = await handle.UpdateAsync<int>("n", v => v + 1);

        // What a second run would answer differs unless the first one's answer is kept.
        return $"{handle.Handle} {n}";
    }

    private static Task<string> AddAsync(InProcessCluster cluster, RawClient client)
    {
        cluster.Tool.Body = async run => (await run.State.UpdateAsync<int>("n", n => n + 1)).ToString();
        return client.CallAsync(cluster[0], "again");
    }

    private static string? Stored(InProcessCluster cluster, RawClient client, string key) =>
        cluster.State(client.SessionId!).TryGetValue(key, out var value) ? Encoding.UTF8.GetString(value.Span) : null;
}

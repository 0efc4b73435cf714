using Mcp.HighAvailability.Storage;

namespace McpHa.Tests;

/// <summary>What an owner still does when it has lost its session, or is just losing it.</summary>
public sealed class FencedOwnerTests
{
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
        await over.Task.WaitAsync(Wait.Limit);
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
}

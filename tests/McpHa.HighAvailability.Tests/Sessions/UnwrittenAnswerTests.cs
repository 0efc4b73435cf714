using Mcp.HighAvailability.Sessions;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;

namespace McpHa.Tests;

/// <summary>Which calls the store hears of, and which it does not.</summary>
public sealed class UnwrittenAnswerTests
{
    [Fact]
    public async Task A_call_that_may_be_rerun_and_left_no_trace_writes_nothing()
    {
        await using var cluster = await StartAsync(1);
        using var client = await cluster.ConnectAsync();
        var before = Commits(cluster, client);

        using var call = await client.PostAsync(cluster[0], client.Call("again", "x"));

        Assert.Equal("application/json", call.ContentType);
        Assert.Equal("x", RawClient.TextOf(await call.JsonAsync()));
        Assert.Equal("y", await client.CallAsync(cluster[0], "again", "y"));
        await cluster[0].Session(client.SessionId!)!.DrainAsync();
        Assert.Equal(before, Commits(cluster, client));
        Assert.Empty(cluster.Journal(client.SessionId!));
    }

    [Fact]
    public async Task Such_a_call_is_answered_while_the_store_is_away()
    {
        await using var cluster = await InProcessCluster.StartAsync(1);
        using var client = await cluster.ConnectAsync();
        var committing = cluster[0].Store.StopBefore("CommitAsync");
        cluster[0].Store.Away = true;

        Assert.Equal("x", await client.CallAsync(cluster[0], "again", "x"));

        cluster[0].Store.Away = false;
        committing.LetGo();
    }

    [Fact]
    public async Task Such_a_call_is_answered_while_its_start_is_on_its_way_to_the_store()
    {
        await using var cluster = await InProcessCluster.StartAsync(1);
        using var client = await cluster.ConnectAsync();
        var mayAnswer = new TaskCompletionSource();
        cluster.Tool.Body = async run =>
        {
            await cluster.Tool.UntilAsync(mayAnswer.Task);
            return "slow";
        };
        var committing = cluster[0].Store.StopBefore("CommitAsync");
        var calling = client.CallAsync(cluster[0], "again");
        await committing.Reached;
        mayAnswer.SetResult();

        Assert.Equal("slow", await calling);

        committing.LetGo();
        await cluster[0].Session(client.SessionId!)!.DrainAsync();
        Assert.Empty(cluster.Journal(client.SessionId!));
        Assert.Empty(cluster.Snapshot(client.SessionId!)!.Calls);
    }

    public static TheoryData<string> Traces => ["progress", "log", "state", "handle", "question", "large", "once"];

    [Theory]
    [MemberData(nameof(Traces))]
    public async Task A_call_that_left_a_trace_is_in_the_journal_before_its_answer_is_sent(string trace)
    {
        await using var cluster = await InProcessCluster.StartAsync(1);
        using var client = await cluster.ConnectAsync();
        cluster.Tool.Body = async run =>
        {
            switch (trace)
            {
                case "progress":
                    await run.ProgressAsync(1);
                    break;
                case "log":
                    await run.LogAsync("a line");
                    break;
                case "state":
                    await run.State.SetAsync("key", 1);
                    break;
                case "handle":
                    await run.State.OpenAsync(null);
                    break;
                case "question":
                    return await run.AskAsync("which?");
                case "large":
                    return new string('x', 64 * 1024);
            }

            return "done";
        };

        using var call = await client.PostAsync(cluster[0], client.Call(trace == "once" ? "once" : "again", progress: true));
        if (trace == "question")
        {
            using var answered = await client.PostAsync(cluster[0], RawClient.Answer(await call.MessageAsync(), "this"));
        }

        await call.AnswerAsync();
        Assert.Contains(cluster.Journal(client.SessionId!), entry => entry.Answers.Length > 0);
    }

    [Theory]
    [InlineData("logging/setLevel", "level", "error")]
    [InlineData("resources/subscribe", "uri", "test://one")]
    [InlineData("resources/unsubscribe", "uri", "test://one")]
    public async Task A_change_of_the_handshake_is_written(string method, string parameter, string value)
    {
        await using var cluster = await InProcessCluster.StartAsync(1);
        using var client = await cluster.ConnectAsync();
        var before = Commits(cluster, client);

        using var change = await client.PostAsync(cluster[0], client.Request(method, new() { [parameter] = value }));

        Assert.NotNull((await change.AnswerAsync())["result"]);
        Assert.True(Commits(cluster, client) > before);
    }

    [Fact]
    public async Task A_call_whose_start_was_written_has_its_answer_written_too()
    {
        await using var cluster = await InProcessCluster.StartAsync(1);
        using var client = await cluster.ConnectAsync();
        var mayAnswer = new TaskCompletionSource();
        cluster.Tool.Body = async run =>
        {
            await cluster.Tool.UntilAsync(mayAnswer.Task);
            return "slow";
        };
        var calling = client.CallAsync(cluster[0], "again");
        await Wait.UntilAsync(() => cluster.Snapshot(client.SessionId!)!.Calls.Count == 1, "the start of the call to be written");
        await cluster[0].Session(client.SessionId!)!.DrainAsync();
        mayAnswer.SetResult();

        Assert.Equal("slow", await calling);

        Assert.Single(cluster.Journal(client.SessionId!), entry => entry.Answers.Length > 0);
        Assert.Empty(cluster.Snapshot(client.SessionId!)!.Calls);
    }

    [Fact]
    public async Task A_call_that_its_client_has_cancelled_is_written_as_such()
    {
        await using var cluster = await InProcessCluster.StartAsync(1);
        using var client = await cluster.ConnectAsync();
        var mayAnswer = new TaskCompletionSource();
        cluster.Tool.Body = async run =>
        {
            await cluster.Tool.UntilAsync(mayAnswer.Task);
            return "slow";
        };
        var call = client.Call("again");
        var calling = client.PostAsync(cluster[0], call);
        await Wait.UntilAsync(() => cluster.Tool.Runs == 1, "the call to run");

        using var cancelled = await client.PostAsync(cluster[0], RawClient.Cancel(call));
        mayAnswer.SetResult();

        using var answer = await calling;
        Assert.DoesNotContain("result", await answer.BodyAsync(), StringComparison.Ordinal);
        Assert.True(InFlightCall.IsWithdrawn(Assert.Single(cluster.Snapshot(client.SessionId!)!.Calls).Value));
        using var repeated = await client.PostAsync(cluster[0], call);
        Assert.DoesNotContain("result", await repeated.BodyAsync(), StringComparison.Ordinal);
        Assert.Equal(1, cluster.Tool.Runs);
    }

    [Fact]
    public async Task A_call_that_runs_again_in_another_owner_has_its_answer_written()
    {
        await using var cluster = await InProcessCluster.StartAsync(2);
        using var client = await cluster.ConnectAsync();
        var never = new TaskCompletionSource();
        cluster.Tool.Body = async run =>
        {
            if (run.Replica.ReplicaId == "replica-a")
                await cluster.Tool.UntilAsync(never.Task);
            return "done";
        };
        var call = client.Call("again");
        using var lost = await client.PostAsync(cluster[0], call); // a stream: the start of the call is in the store
        await cluster.CutOffAsync(cluster[0]);

        using var repeated = await client.PostAsync(cluster[1], call);

        Assert.Equal("done", RawClient.TextOf(await repeated.AnswerAsync()));
        Assert.Equal(2, cluster.Tool.Runs);
        Assert.Single(cluster.Journal(client.SessionId!), entry => entry.Answers.Length > 0);
    }

    [Fact]
    public async Task A_session_that_has_one_stream_writes_every_answer()
    {
        await using var cluster = await InProcessCluster.StartAsync(1, o => o.EnableLegacySse = true);
        using var client = new LegacyClient();
        using var stream = await client.ConnectAsync(cluster[0]);
        var before = cluster.Journal(client.SessionId).Count(entry => entry.Answers.Length > 0);

        await client.AcceptedAsync(cluster[0], client.Call("again", "x"));

        Assert.Equal("x", await stream.TextAsync());
        Assert.Equal(before + 1, cluster.Journal(client.SessionId).Count(entry => entry.Answers.Length > 0));
    }

    [Fact]
    public async Task A_call_that_was_answered_unwritten_runs_again_when_it_is_repeated()
    {
        await using var cluster = await StartAsync(2);
        using var client = await cluster.ConnectAsync();
        var call = client.Call("again", "x");
        using var first = await client.PostAsync(cluster[0], call);
        await first.AnswerAsync();

        using var repeated = await client.PostAsync(cluster[0], call);

        Assert.Equal("x", RawClient.TextOf(await repeated.AnswerAsync()));
        Assert.Equal(2, cluster.Tool.Runs);
    }

    // However slow the machine, no call is slow: the clock that decides when its start is written stands still.
    private static Task<InProcessCluster> StartAsync(int replicas) => InProcessCluster.StartAsync(
        replicas, server: mcp => mcp.Services.AddSingleton(_ => new LazyFlusher(new FakeTimeProvider())));

    private static long Commits(InProcessCluster cluster, RawClient client) => cluster.Snapshot(client.SessionId!)!.Record.LastCommit;
}

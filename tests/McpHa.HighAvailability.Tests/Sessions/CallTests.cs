using System.Net;
using System.Text.Json.Nodes;
using Mcp.HighAvailability.Sessions;
using Mcp.HighAvailability.Storage;

namespace McpHa.Tests;

/// <summary>Repeated, concurrent and withdrawn calls.</summary>
public sealed class CallTests
{
    [Fact]
    public async Task A_request_that_is_repeated_while_it_runs_is_run_once_and_answered_on_both_connections()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();
        var finish = new TaskCompletionSource();
        cluster.Tool.Body = async run =>
        {
            await run.ProgressAsync(1);
            await cluster.Tool.UntilAsync(finish.Task);
            return "done";
        };
        var call = client.Call("once", progress: true);
        using var one = await client.PostAsync(cluster[0], call);
        using var two = await client.PostAsync(cluster[0], call);
        using var three = await client.PostAsync(cluster[1], call);
        Assert.Equal(1, (double)(await two.MessageAsync())["params"]!["progress"]!);

        finish.SetResult();

        Assert.Equal(2, (await one.MessagesAsync()).Count);
        Assert.Single(await two.MessagesAsync());
        Assert.Equal(2, (await three.MessagesAsync()).Count);
        Assert.Equal(one.Seen, two.Seen, SameEvent);
        Assert.Equal(one.Seen, three.Seen, SameEvent);
        Assert.Equal(1, cluster.Tool.Runs);
    }

    [Fact]
    public async Task A_request_that_is_repeated_after_it_was_answered_gets_the_same_answer_and_is_not_run_again()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();
        cluster.Tool.Body = _ => Task.FromResult(Guid.NewGuid().ToString());
        var call = client.Call("once");
        using var one = await client.PostAsync(cluster[0], call);
        using var two = await client.PostAsync(cluster[0], call);
        var answer = await one.AnswerAsync();
        Assert.Equal(answer, await two.AnswerAsync(), JsonNode.DeepEquals);

        await cluster.CutOffAsync(cluster[0]);
        using var three = await client.PostAsync(cluster[1], call);
        Assert.Equal(answer, await three.AnswerAsync(), JsonNode.DeepEquals);
        Assert.Equal(1, cluster.Tool.Runs);
    }

    [Fact]
    public async Task A_request_that_is_repeated_while_its_answer_is_being_written_gets_that_answer()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();
        var writing = cluster[0].Store.StopBefore("CommitAsync", c => ((SessionCommit)c!).Append.Any(e => e.Answers.Length > 0));
        var call = client.Call("once", "x");
        var one = client.PostAsync(cluster[0], call);
        await writing.Reached;
        using var repeated = new Counted(cluster[0], "mcp.ha.calls.repeated");
        var two = client.PostAsync(cluster[0], call);
        await Wait.UntilAsync(() => repeated.Value == 1, "the repetition to be recognised");
        Assert.Equal("y", await client.CallAsync(cluster[0], "again", "y")); // needs no write, and overtakes both
        Assert.False(two.IsCompleted);

        writing.LetGo();

        using var first = await one;
        using var second = await two;
        Assert.Equal("x", RawClient.TextOf(await first.AnswerAsync()));
        Assert.Equal("x", RawClient.TextOf(await second.AnswerAsync()));
        Assert.Single(cluster.Tool.Log, run => run.Argument == "x");
    }

    [Fact]
    public async Task A_withdrawn_call_is_cancelled_gets_no_answer_and_is_not_run_again()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();
        var cancelled = new TaskCompletionSource();
        var never = new TaskCompletionSource();
        cluster.Tool.Body = async run =>
        {
            await run.State.SetAsync("n", 1, run.Cancelled);
            await run.ProgressAsync(1);
            using var heard = run.Cancelled.Register(cancelled.SetResult);
            await cluster.Tool.UntilAsync(never.Task);
            return "";
        };
        var call = client.Call("again", progress: true);
        using var running = await client.PostAsync(cluster[0], call);
        await running.MessageAsync();

        using var accepted = await client.PostAsync(cluster[1], RawClient.Cancel(call));

        Assert.Equal(HttpStatusCode.Accepted, accepted.Status);
        await cancelled.Task.WaitAsync(Wait.Limit);
        Assert.Empty(await running.MessagesAsync());
        Assert.All(cluster.Snapshot(client.SessionId!)!.Calls, c => Assert.True(InFlightCall.IsWithdrawn(c.Value))); // no more than marks of what was cancelled
        using (var resumed = await client.GetAsync(cluster[0], running.LastId))
            Assert.Equal(HttpStatusCode.NoContent, resumed.Status);

        // It kept no other call from the state, and left it as it was.
        cluster.Tool.Body = async run => (await run.State.GetAsync<int>("n")).ToString();
        Assert.Equal("0", await client.CallAsync(cluster[0], "again", "other"));
        await cluster.CutOffAsync(cluster[0]);
        Assert.Equal("0", await client.CallAsync(cluster[1], "again", "another"));

        // A relay has sent it twice, and the other one was held up on its way.
        using (var late = await client.PostAsync(cluster[1], call))
            Assert.DoesNotContain("result", await late.BodyAsync(), StringComparison.Ordinal);
        Assert.Equal(3, cluster.Tool.Runs);
        Assert.DoesNotContain(cluster.Journal(client.SessionId!), e => e.Answers.Length > 0 && e.Stream == running.LastId[..running.LastId.IndexOf('-', StringComparison.Ordinal)]);
    }

    [Fact]
    public async Task A_call_that_is_withdrawn_while_it_is_written_down_is_never_run()
    {
        await using var cluster = await InProcessCluster.StartAsync(1);
        using var client = await cluster.ConnectAsync();
        var beginning = cluster[0].Store.StopBefore("CommitAsync", c => ((SessionCommit)c!).Calls.Count > 0);
        var call = client.Call("once");
        var running = client.PostAsync(cluster[0], call);
        await beginning.Reached;
        var cancelling = client.PostAsync(cluster[0], RawClient.Cancel(call));
        await Wait.UntilAsync(() => cluster[0].Session(client.SessionId!)!.CallsInFlight.Count == 0, "the call to be withdrawn");
        beginning.LetGo();

        using var accepted = await cancelling;
        using var withdrawn = await running;
        Assert.Equal(HttpStatusCode.Accepted, accepted.Status);
        Assert.DoesNotContain("result", await withdrawn.BodyAsync(), StringComparison.Ordinal);
        Assert.Equal("x", await client.CallAsync(cluster[0], "once", "x"));
        Assert.Equal(1, cluster.Tool.Runs);
    }

    [Fact]
    public async Task A_withdrawn_call_that_goes_on_can_no_longer_touch_the_state()
    {
        await using var cluster = await InProcessCluster.StartAsync(1);
        using var client = await cluster.ConnectAsync();
        TaskCompletionSource goOn = new(), outcome = new();
        cluster.Tool.Body = async run =>
        {
            await run.ProgressAsync(1);
            await cluster.Tool.UntilAsync(goOn.Task);
            outcome.SetException((await Record.ExceptionAsync(() => run.State.SetAsync("n", 5).AsTask()))!);
            return "";
        };
        var call = client.Call("once", progress: true);
        using var running = await client.PostAsync(cluster[0], call);
        await running.MessageAsync();
        using var accepted = await client.PostAsync(cluster[0], RawClient.Cancel(call));
        goOn.SetResult();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => outcome.Task.WaitAsync(Wait.Limit));
        cluster.Tool.Body = async run => (await run.State.GetAsync<int>("n")).ToString();
        Assert.Equal("0", await client.CallAsync(cluster[0], "again"));
    }

    [Fact]
    public async Task A_client_that_goes_away_does_not_cancel_its_call()
    {
        await using var cluster = await InProcessCluster.StartAsync(1);
        using var client = await cluster.ConnectAsync();
        var finish = new TaskCompletionSource();
        cluster.Tool.Body = async run =>
        {
            await run.ProgressAsync(1);
            await cluster.Tool.UntilAsync(finish.Task);
            return run.Cancelled.IsCancellationRequested ? "cancelled" : "done";
        };
        var running = await client.PostAsync(cluster[0], client.Call("once", progress: true));
        await running.MessageAsync();
        running.Dispose();
        await Wait.UntilAsync(() => cluster[0].Session(client.SessionId!)!.ReaderCount == 0, "the connection to be gone");
        finish.SetResult();

        using var resumed = await client.GetAsync(cluster[0], running.LastId);

        Assert.Equal("done", RawClient.TextOf(await resumed.AnswerAsync()));
    }

    [Fact]
    public async Task Quick_answers_are_plain_json_and_everything_else_is_a_stream()
    {
        await using var cluster = await InProcessCluster.StartAsync(1);
        using var client = await cluster.ConnectAsync();
        // A busy machine may be slow with some of them.
        await Wait.UntilAsync(
            async () =>
            {
                using var quick = await client.PostAsync(cluster[0], client.Call("again", "x"));
                Assert.Equal("x", RawClient.TextOf(await quick.AnswerAsync()));
                return quick.ContentType == "application/json";
            },
            "an answer that is quick enough");

        cluster.Tool.Body = async run =>
        {
            await run.ProgressAsync(1);
            return "";
        };
        using var talking = await client.PostAsync(cluster[0], client.Call("again", progress: true));
        Assert.True(talking.IsStream);
        Assert.Equal(2, (await talking.MessagesAsync()).Count);

        // The client must be able to come back for the outcome of what is not run again.
        using var once = await client.PostAsync(cluster[0], client.Call("once"));
        Assert.True(once.IsStream);
        Assert.Null((await once.NextAsync())!.Message);
    }

    [Theory]
    [InlineData("2025-11-25", true)]
    [InlineData("2025-06-18", false)]
    [InlineData("2025-03-26", false)]
    public async Task Only_clients_that_know_priming_events_get_them(string version, bool primed)
    {
        await using var cluster = await InProcessCluster.StartAsync(1);
        using var client = await cluster.ConnectAsync(version: version);
        cluster.Tool.Body = async run =>
        {
            await run.ProgressAsync(1);
            return "";
        };
        using var call = await client.PostAsync(cluster[0], client.Call("once", progress: true));
        await call.MessagesAsync();

        Assert.Equal(primed ? 3 : 2, call.Seen.Count);
        Assert.Equal(primed, call.Seen[0].Message is null);
        Assert.All(call.Seen, e => Assert.NotEmpty(e.Id));
    }

    [Fact]
    public async Task A_slow_call_is_answered_by_a_stream_that_can_be_resumed_before_its_first_message()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();
        var finish = new TaskCompletionSource();
        cluster.Tool.Body = async run =>
        {
            await cluster.Tool.UntilAsync(finish.Task);
            return "done";
        };
        using var call = await client.PostAsync(cluster[0], client.Call("again"));
        Assert.Null((await call.NextAsync())!.Message);
        await cluster.CutOffAsync(cluster[0]);
        using var resumed = await client.GetAsync(cluster[1], call.LastId);
        finish.SetResult();

        Assert.Equal("done", RawClient.TextOf(Assert.Single(await resumed.MessagesAsync())));
    }

    private static bool SameEvent(Event one, Event other) => one.Id == other.Id && JsonNode.DeepEquals(one.Message, other.Message);
}

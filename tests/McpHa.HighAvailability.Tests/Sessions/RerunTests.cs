using System.Net;
using Mcp.HighAvailability.Storage;

namespace McpHa.Tests;

/// <summary>Calls that were in flight when their owner was lost: run again, or ended with an error.</summary>
public sealed class RerunTests
{
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

        // Another user's request causes the take-over, but gets nothing of the session.
        client.User = "eve";
        using var foreign = await client.GetAsync(cluster[1], old.LastId);
        Assert.Equal(HttpStatusCode.Forbidden, foreign.Status);
        client.User = "ada";
        using var resumed = await client.GetAsync(cluster[1], old.LastId);

        Assert.Equal("ada", RawClient.TextOf(await resumed.AnswerAsync()));
    }
}

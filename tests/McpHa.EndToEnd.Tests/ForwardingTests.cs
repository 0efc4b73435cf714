using System.Net;
using McpHa.Tests.Clients;
using McpHa.Tests.Cluster;

namespace McpHa.Tests;

/// <summary>Nothing dies here: a replica that does not own the session serves it all the same.</summary>
public sealed class ForwardingTests(ClusterFixture fixture) : ClusterTest(fixture)
{
    [Theory]
    [InlineData(ClientKind.TypeScript, Access.Nginx)]
    [InlineData(ClientKind.CSharp, Access.NonOwner)]
    public async Task Progress_arrives_while_the_call_runs(ClientKind kind, Access access)
    {
        await using var client = await ConnectAsync(kind, access);
        var endless = client.Call("countdown", new { seconds = 3000, intervalMs = 100 });
        await Wait.UntilAsync(() => endless.Progress.Count > 2, "the first progress");
        await endless.Cancel();

        var call = client.Call("countdown", new { seconds = 1, intervalMs = 100 });
        Assert.Equal("liftoff", (await call.Answer.WaitAsync(Limit)).Text);
        await Wait.UntilAsync(() => call.Progress.Count >= 10, "all progress");
        AssertEveryStepOnce(kind, 10, call.Progress);
    }

    [Theory]
    [InlineData(ClientKind.TypeScript, Access.Balancer)]
    [InlineData(ClientKind.CSharp, Access.Nginx)]
    public async Task A_question_of_the_server_is_asked_and_answered(ClientKind kind, Access access)
    {
        await using var client = await ConnectAsync(kind, access);
        var call = client.Call("ask_name");
        await (await client.QuestionAsync()).AnswerAsync(new { action = "accept", content = new { name = "Grace" } });

        Assert.Equal("Hello, Grace!", (await call.Answer.WaitAsync(Limit)).Text);
    }

    [Theory]
    [InlineData(ClientKind.TypeScript, Access.NonOwner)]
    [InlineData(ClientKind.CSharp, Access.Balancer)]
    public async Task A_client_that_cancels_withdraws_the_question_that_the_call_had_asked(ClientKind kind, Access access)
    {
        await using var client = await ConnectAsync(kind, access);
        var call = client.Call("ask_name");
        await client.QuestionAsync();

        await call.Cancel();

        await Assert.ThrowsAnyAsync<Exception>(() => call.Answer.WaitAsync(Limit));
        Assert.Equal("fine", await client.CallAsync("echo", new { text = "fine" }));
    }

    [Fact]
    public async Task A_cancellation_through_one_replica_ends_a_call_that_came_through_another_for_good()
    {
        var (first, second, third) = await ReplicasAsync();
        using var opener = At(first, null);
        var session = await opener.InitializeAsync();
        using var here = At(second, session);
        using var there = At(third, session);
        using var call = await here.PostAsync(RawClient.ToolCall("long", "countdown", new { seconds = 3000, intervalMs = 50 }, progressToken: "steps"));
        await Wait.UntilAsync(() => call.Events.Any(e => e.Progress is not null), "the call to run");

        using (var cancelled = await there.PostAsync("""{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"long","reason":"enough"}}"""))
            Assert.Equal(HttpStatusCode.Accepted, cancelled.Status);

        await call.Read().WaitAsync(Limit);
        Assert.All(call.Messages, message => Assert.Equal("notifications/progress", (string?)message["method"]));

        // Nor does the next owner run it again.
        Processes.Send(first.Pid, Processes.SigKill);
        using var resumed = await there.GetAsync(call.LastEventId);
        Assert.Equal(HttpStatusCode.NoContent, resumed.Status);
    }
}

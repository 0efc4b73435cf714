using System.Net;
using System.Text.Json.Nodes;

namespace McpHa.Tests;

/// <summary>JSON-RPC batches, which revision 2025-03-26 has and no other.</summary>
public sealed class BatchTests
{
    private const string Revision = "2025-03-26";

    [Fact]
    public async Task Requests_and_notifications_of_one_POST_are_answered_by_one_array()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync(version: Revision);
        JsonArray batch = [client.Call("once", "one", "a"), RawClient.Notification("notifications/roots/list_changed"), client.Call("again", "two", "b"), client.Request("ping", id: "c")];

        // At a replica that is not the owner.
        using var exchange = await client.PostAsync(cluster[1], batch);

        Assert.Equal("application/json", exchange.ContentType);
        var answers = (await exchange.JsonAsync()).AsArray();
        Assert.Equal(["a", "b", "c"], answers.Select(answer => (string?)answer!["id"]));
        Assert.Equal(["one", "two"], answers.Take(2).Select(answer => RawClient.TextOf(answer!)));
    }

    [Fact]
    public async Task A_batch_whose_calls_have_more_to_say_is_answered_by_events_on_one_stream()
    {
        await using var cluster = await InProcessCluster.StartAsync(1);
        using var client = await cluster.ConnectAsync(version: Revision);
        cluster.Tool.Body = async run =>
        {
            if (run.Argument == "talks")
                Assert.Equal("Ann", await run.AskAsync("Who?"));
            return run.Argument;
        };

        using var exchange = await client.PostAsync(cluster[0], new JsonArray(client.Call("again", "talks", "a"), client.Call("again", "is brief", "b")));
        JsonNode question;
        List<string?> answered = [];
        while ((question = await exchange.MessageAsync())["method"] is null)
            answered.Add((string?)question["id"]);
        // The answer comes in a batch too.
        using (var answer = await client.PostAsync(cluster[0], new JsonArray(RawClient.Answer(question, "Ann"))))
            Assert.Equal(HttpStatusCode.Accepted, answer.Status);
        answered.AddRange((await exchange.MessagesAsync()).Select(message => (string?)message["id"]));

        Assert.Equal(["a", "b"], answered.Order());
        Assert.DoesNotContain(exchange.Seen, e => e.Message is null); // this revision has no priming events
        Assert.Distinct(exchange.Seen.Select(e => e.Id));
    }

    [Fact]
    public async Task A_batch_goes_on_at_the_next_owner_behind_what_each_of_its_calls_has_sent()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync(version: Revision);
        var never = new TaskCompletionSource();
        cluster.Tool.Body = async run =>
        {
            await run.LogAsync($"{run.Argument} 1");
            if (run.Replica.ReplicaId == "replica-a")
                await cluster.Tool.UntilAsync(never.Task);
            await run.LogAsync($"{run.Argument} 2");
            return run.Argument;
        };
        using var before = await client.PostAsync(cluster[0], new JsonArray(client.Call("again", "x", "a"), client.Call("again", "y", "b")));
        List<string?> logged = [Text(await before.MessageAsync()), Text(await before.MessageAsync())];

        await cluster.CutOffAsync(cluster[0]);

        using var after = await client.GetAsync(cluster[1], before.LastId);
        var rest = await after.MessagesAsync();
        logged.AddRange(rest.Where(message => message["method"] is not null).Select(Text));
        Assert.Equal(["x 1", "x 2", "y 1", "y 2"], logged.Order());
        Assert.Equal(["a", "b"], rest.Where(message => message["result"] is not null).Select(message => (string?)message["id"]).Order());

        static string? Text(JsonNode message) => (string?)message["params"]!["data"];
    }

    [Fact]
    public async Task The_same_batch_again_is_answered_again_and_not_run_again()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync(version: Revision);
        var batch = new JsonArray(client.Call("once", "one", "a"), client.Call("once", "two", "b")).ToJsonString();
        using var first = await client.PostTextAsync(cluster[0], batch);
        var answers = await first.BodyAsync();

        using var second = await client.PostTextAsync(cluster[1], batch);

        Assert.Equal(answers, await second.BodyAsync());
        Assert.Equal(2, cluster.Tool.Runs);
    }

    [Theory]
    [InlineData("2024-11-05")]
    [InlineData("2025-06-18")]
    [InlineData("2025-11-25")]
    public async Task Sessions_of_other_revisions_refuse_a_batch_and_run_nothing_of_it(string version)
    {
        await using var cluster = await InProcessCluster.StartAsync(1);
        using var client = await cluster.ConnectAsync(version: version);
        using var exchange = await client.PostAsync(cluster[0], new JsonArray(client.Call("once")));

        await RefusedAsync(exchange, version);
        Assert.Equal(0, cluster.Tool.Runs);
    }

    [Theory]
    [InlineData("[]", "empty")]
    [InlineData("""[{"jsonrpc":"2.0","method":"notifications/initialized"},1]""", "message 2")]
    [InlineData("""[{"jsonrpc":"2.0","id":1,"method":"ping"}""", "message 2")]
    [InlineData("""[{"jsonrpc":"2.0","id":1,"method":"ping"}] x""", "message 2")]
    [InlineData("""[{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}]""", "initialize")]
    [InlineData("""[{"jsonrpc":"2.0","id":1,"method":"ping"},{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"again","name":"once"}}]""", "message 2")]
    [InlineData("""[{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"once","\uDC00":1}}]""", "surrogate")]
    [InlineData("""[{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"\ud800"}}]""", "surrogate")]
    public async Task A_batch_that_cannot_be_served_whole_is_refused_with_the_reason(string batch, string reason)
    {
        await using var cluster = await InProcessCluster.StartAsync(1);
        using var client = await cluster.ConnectAsync(version: Revision);
        using var exchange = await client.PostTextAsync(cluster[0], batch);

        await RefusedAsync(exchange, reason);
    }

    [Fact]
    public async Task A_batch_without_a_session_is_refused()
    {
        await using var cluster = await InProcessCluster.StartAsync(1);
        using var client = new RawClient { Version = Revision };
        using var exchange = await client.PostAsync(cluster[0], new JsonArray(client.Call("once")));

        await RefusedAsync(exchange, "session");
    }

    private static async Task RefusedAsync(Exchange exchange, string reason)
    {
        Assert.Equal(HttpStatusCode.BadRequest, exchange.Status);
        var error = (await exchange.JsonAsync())["error"]!;
        Assert.Equal(-32600, (int)error["code"]!);
        Assert.Contains(reason, (string?)error["message"], StringComparison.Ordinal);
    }
}

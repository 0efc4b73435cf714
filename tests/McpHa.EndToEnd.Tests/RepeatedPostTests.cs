using System.Text.Json.Nodes;
using McpHa.Tests.Clients;
using McpHa.Tests.Cluster;

namespace McpHa.Tests;

/// <summary>The same POST comes more than once, as a relay or a load balancer repeats it: with the same exchange id.</summary>
public sealed class RepeatedPostTests(ClusterFixture fixture) : ClusterTest(fixture)
{
    [Fact]
    public async Task The_same_POST_twice_at_once_runs_once_and_both_get_the_same_events()
    {
        using var client = await ConnectRawAsync(Access.Balancer);
        var body = RawClient.ToolCall("twice", "countdown", new { seconds = 1, intervalMs = 100 }, progressToken: "steps");
        var exchange = NewExchange();
        using var one = await PostAsync(client, body, exchange);
        await Wait.UntilAsync(() => one.Messages.Count > 2, "the call to run");
        using var two = await PostAsync(client, body, exchange);

        await Task.WhenAll(one.Read(), two.Read()).WaitAsync(Limit);

        Assert.Equal(11, one.Messages.Count);
        Assert.Equal(Seen(one), Seen(two));
    }

    [Fact]
    public async Task The_same_POST_at_two_replicas_at_once_runs_once()
    {
        var (first, second, third) = await ReplicasAsync();
        using var owner = At(first, null);
        var session = await owner.InitializeAsync();
        using var here = At(second, session);
        using var there = At(third, session);
        for (var round = 1; round <= 20; round++)
        {
            var exchange = NewExchange();
            var answers = await Task.WhenAll(Enumerable.Range(0, 4).Select(i => CallAsync(i % 2 == 0 ? here : there, 1, "counter_increment", exchange)));

            Assert.All(answers, answer => Assert.True((int?)answer["result"]?["structuredContent"]?["value"] == round, answer.ToJsonString()));
        }
    }

    [Theory]
    [MemberData(nameof(BothWays))]
    public async Task The_same_POST_after_its_answer_gets_that_answer_again_also_from_the_next_owner(Access access)
    {
        using var client = await ConnectRawAsync(access);
        var exchange = NewExchange();
        var first = await CallAsync(client, 1, "counter_increment", exchange);
        var second = await CallAsync(client, 1, "counter_increment", exchange);
        var owner = await OwnerOf(client);

        owner.Kill();
        var third = await CallAsync(client, 1, "counter_increment", exchange);

        Assert.NotEqual(owner.Replica, (await OwnerOf(client)).Replica);
        Assert.Equal(first.ToJsonString(), second.ToJsonString());
        Assert.Equal(first.ToJsonString(), third.ToJsonString());
        Assert.Equal(2, (int)(await client.CallAsync(1, "counter_increment"))["result"]!["structuredContent"]!["value"]!);
    }

    [Theory]
    [MemberData(nameof(BothWays))]
    public async Task A_delivery_posted_twice_happens_once(Access access)
    {
        using var client = await ConnectRawAsync(access);
        var exchange = NewExchange();
        var answers = await Task.WhenAll(Enumerable.Range(0, 3).Select(async _ =>
            (string?)(await CallAsync(client, "delivery", "deliver", exchange, new { seconds = 0.5 }))["result"]!["content"]![0]!["text"])).WaitAsync(Limit);

        Assert.StartsWith("delivered by ", Assert.Single(answers.Distinct()), StringComparison.Ordinal);
        Assert.Equal(1, Fixture.Deliveries(client.SessionId!));
    }

    [Fact]
    public async Task What_nginx_repeats_when_a_replica_dies_under_it_runs_once()
    {
        // A client without priming events: nothing of the answer is sent before it is whole, so nginx repeats the POST at the next replica.
        await ReplicasAsync();
        using var client = new RawClient(Nginx);
        await client.InitializeAsync("2025-06-18");
        Assert.Equal(1, await CountAsync(client));
        for (var count = 2; count <= 6; count++)
        {
            var owner = await OwnerOf(client);
            var slow = client.CallAsync(1, "deliver", new { seconds = 0.3 });
            var counted = CountAsync(client);
            owner.Kill();
            Assert.Equal(count, await counted.WaitAsync(Limit));
            var answer = await slow.WaitAsync(Limit);
            Assert.True(answer["result"] is not null || (int?)answer["error"]?["code"] == -32010, answer.ToJsonString());
            await Cluster.WaitForAsync(state => state.Replicas.Count(r => Processes.IsUp(r.Pid)) >= ClusterFixture.Replicas, "all replicas to be up");
            using var http = new HttpClient();
            await Wait.UntilAsync(async () => (await http.GetAsync(new Uri(Nginx, "/health"))).IsSuccessStatusCode, "nginx to find the replicas again");
        }

        static async Task<int> CountAsync(RawClient client) => (int)(await client.CallAsync(1, "counter_increment"))["result"]!["structuredContent"]!["value"]!;
    }

    private static string NewExchange() => Guid.NewGuid().ToString("N");

    private static Task<RawResponse> PostAsync(RawClient client, string body, string exchange) =>
        client.PostAsync(body, request => request.Headers.TryAddWithoutValidation("Mcp-Ha-Exchange", exchange));

    private static async Task<JsonNode> CallAsync(RawClient client, object id, string tool, string exchange, object? arguments = null)
    {
        using var response = await PostAsync(client, RawClient.ToolCall(id, tool, arguments), exchange);
        return await response.AnswerAsync();
    }

    private static IEnumerable<(string? Id, string Message)> Seen(RawResponse response) =>
        response.Events.Where(e => e.Message is not null).Select(e => (e.Id, e.Message!.ToJsonString()));
}

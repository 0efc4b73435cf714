using System.Text.Json.Nodes;
using McpHa.Tests.Clients;
using McpHa.Tests.Cluster;

namespace McpHa.Tests;

/// <summary>The same POST, id and body, comes more than once.</summary>
public sealed class RepeatedPostTests(ClusterFixture fixture) : ClusterTest(fixture)
{
    [Fact]
    public async Task The_same_POST_twice_at_once_runs_once_and_both_get_the_same_events()
    {
        using var client = await ConnectRawAsync(Access.Balancer);
        var body = RawClient.ToolCall("twice", "countdown", new { seconds = 1, intervalMs = 100 }, progressToken: "steps");
        using var one = await client.PostAsync(body);
        await Wait.UntilAsync(() => one.Messages.Count > 2, "the call to run");
        using var two = await client.PostAsync(body);

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
            var answers = await Task.WhenAll(Enumerable.Range(0, 4).Select(i => (i % 2 == 0 ? here : there).CallAsync($"round-{round}", "counter_increment")));

            Assert.All(answers, answer => Assert.True((int?)answer["result"]?["structuredContent"]?["value"] == round, answer.ToJsonString()));
        }
    }

    [Theory]
    [MemberData(nameof(AllWays))]
    public async Task The_same_POST_after_its_answer_gets_that_answer_again_also_from_the_next_owner(Access access)
    {
        using var client = await ConnectRawAsync(access);
        var first = await client.CallAsync("again", "counter_increment");
        var second = await client.CallAsync("again", "counter_increment");
        var owner = await OwnerOf(client);

        owner.Kill();
        var third = await client.CallAsync("again", "counter_increment");

        Assert.NotEqual(owner.Replica, (await OwnerOf(client)).Replica);
        Assert.Equal(first.ToJsonString(), second.ToJsonString());
        Assert.Equal(first.ToJsonString(), third.ToJsonString());
        Assert.Equal(2, (int)(await client.CallAsync("another", "counter_increment"))["result"]!["structuredContent"]!["value"]!);
    }

    [Theory]
    [MemberData(nameof(AllWays))]
    public async Task A_delivery_posted_twice_happens_once(Access access)
    {
        using var client = await ConnectRawAsync(access);
        var body = RawClient.ToolCall("delivery", "deliver", new { seconds = 0.5 });

        var answers = await Task.WhenAll(Enumerable.Range(0, 3).Select(async _ =>
        {
            using var response = await client.PostAsync(body);
            return (await response.AnswerAsync())["result"]!["content"]![0]!["text"]!.GetValue<string>();
        })).WaitAsync(Limit);

        Assert.StartsWith("delivered by ", Assert.Single(answers.Distinct()), StringComparison.Ordinal);
        Assert.Equal(1, Fixture.Deliveries(client.SessionId!));
    }

    [Fact]
    public async Task Another_body_under_the_same_id_is_another_call()
    {
        using var client = await ConnectRawAsync(Access.Balancer);

        Assert.Equal("one", Text(await client.CallAsync("id", "echo", new { text = "one" })));
        Assert.Equal("two", Text(await client.CallAsync("id", "echo", new { text = "two" })));

        static string? Text(JsonNode answer) => (string?)answer["result"]!["content"]![0]!["text"];
    }

    private static IEnumerable<(string? Id, string Message)> Seen(RawResponse response) =>
        response.Events.Where(e => e.Message is not null).Select(e => (e.Id, e.Message!.ToJsonString()));
}

using System.Text.Json.Nodes;
using McpHa.Tests.Clients;

namespace McpHa.Tests.Conformance;

/// <summary>A tool that may run again and kills the process that runs it: real processes, through the balancer.</summary>
[Collection(ConformanceCollection.Name)]
public sealed class PoisonCallTests(ConformanceCluster fixture)
{
    [Theory]
    [InlineData(0)]
    [InlineData(200)]
    public async Task A_call_that_kills_its_server_ends_after_two_of_them_and_the_session_goes_on(int milliseconds)
    {
        var before = await ReplicasAsync();
        using var client = new RawClient(fixture.Cluster.Endpoint);
        await client.InitializeAsync();

        AssertEnded(await client.CallAsync(1, "test_end_server", new { milliseconds }).WaitAsync(Wait.Limit));

        // What comes next, an unrelated request too, does not bring it back.
        for (var n = 0; n < 3; n++)
        {
            using var pong = await client.PostAsync(RawClient.Request(1, "ping"));
            Assert.NotNull((await pong.AnswerAsync())["result"]);
        }

        Assert.NotNull((await client.CallAsync(1, "test_simple_text"))["result"]);
        var after = await ReplicasAsync();
        Assert.Equal(2, before.Except(after).Count());
    }

    [Fact]
    public async Task A_call_without_a_session_that_kills_its_server_ends_after_two_of_them()
    {
        const string revision = "2026-07-28";
        var before = await ReplicasAsync();
        using var client = new RawClient(fixture.Cluster.Endpoint);
        var call = RawClient.Request(1, "tools/call", new
        {
            name = "test_end_server",
            arguments = new { milliseconds = 0 },
            _meta = new Dictionary<string, object>
            {
                ["io.modelcontextprotocol/protocolVersion"] = revision,
                ["io.modelcontextprotocol/clientInfo"] = new { name = "raw", version = "1" },
                ["io.modelcontextprotocol/clientCapabilities"] = new { },
            },
        });
        using var response = await client.PostAsync(call, request =>
        {
            request.Headers.TryAddWithoutValidation("MCP-Protocol-Version", revision);
            request.Headers.TryAddWithoutValidation("Mcp-Method", "tools/call");
            request.Headers.TryAddWithoutValidation("Mcp-Name", "test_end_server");
        });

        AssertEnded(await response.AnswerAsync().WaitAsync(Wait.Limit));
        var after = await ReplicasAsync();
        Assert.Equal(2, before.Except(after).Count());
    }

    private static void AssertEnded(JsonNode answer)
    {
        Assert.True((int?)answer["error"]?["code"] == -32010, answer.ToJsonString());
        Assert.Matches("(lost 2 times|2 replicas were lost)", (string?)answer["error"]!["message"]);
    }

    private async Task<IReadOnlyList<int>> ReplicasAsync() =>
        [.. (await fixture.Cluster.WaitForAsync(
            state => state.Replicas.Count == 3 && state.Replicas.All(replica => Processes.IsUp(replica.Pid)), "three replicas to be up")).Replicas.Select(replica => replica.Pid)];
}

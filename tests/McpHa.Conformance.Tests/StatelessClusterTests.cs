using System.Text.Json.Nodes;
using McpHa.Tests.Clients;

namespace McpHa.Tests.Conformance;

/// <summary>What of revision 2026-07-28 the suite does not look at: several replicas, and their deaths.</summary>
[Collection(ConformanceCollection.Name)]
public sealed class StatelessClusterTests(ConformanceCluster fixture)
{
    private const string Revision = "2026-07-28";

    [Fact]
    public async Task A_request_state_is_read_by_every_replica_and_forged_by_nobody()
    {
        var state = await fixture.CompleteAsync();
        var asked = await CallAsync(LabCluster.EndpointOf(state.Replicas[0]), "test_input_required_result_request_state");
        var requestState = (string)asked["result"]!["requestState"]!;
        Assert.Equal("input_required", (string?)asked["result"]!["resultType"]);
        Assert.DoesNotContain("confirmation", requestState, StringComparison.Ordinal);

        foreach (var replica in state.Replicas)
        {
            var endpoint = LabCluster.EndpointOf(replica);
            var answered = await CallAsync(endpoint, "test_input_required_result_request_state", requestState);
            Assert.Equal("state-ok", (string?)answered["result"]!["content"]![0]!["text"]);

            foreach (var forged in (string[])["waiting for confirmation", "", requestState[..^1], requestState + "A", "B" + requestState[1..]])
                Assert.Equal(-32602, (int?)(await CallAsync(endpoint, "test_input_required_result_request_state", forged))["error"]?["code"]);

            // That of another tool.
            Assert.Equal(-32602, (int?)(await CallAsync(endpoint, "test_input_required_result_tampered_state", requestState))["error"]?["code"]);
        }
    }

    [Fact]
    public async Task A_request_state_outlives_the_replica_that_gave_it()
    {
        var state = await fixture.CompleteAsync();
        var asked = await CallAsync(LabCluster.EndpointOf(state.Replicas[0]), "test_input_required_result_request_state");

        var fresh = await fixture.Cluster.KillAndReplaceAsync(state.Replicas[0].Id);

        var answered = await CallAsync(LabCluster.EndpointOf(fresh), "test_input_required_result_request_state", (string)asked["result"]!["requestState"]!);
        Assert.Equal("state-ok", (string?)answered["result"]!["content"]![0]!["text"]);
    }

    [Fact]
    public async Task A_listen_stream_hears_of_changes_on_any_replica_and_outlives_its_own()
    {
        await fixture.CompleteAsync();
        using var client = new RawClient(fixture.Cluster.Endpoint);
        using var stream = await PostAsync(client, "subscriptions/listen", null, new JsonObject { ["notifications"] = new JsonObject { ["promptsListChanged"] = true } });
        await stream.EventAsync(e => e.Method == "notifications/subscriptions/acknowledged", "the acknowledgement");
        foreach (var replica in (await fixture.CompleteAsync()).Replicas)
        {
            var before = Changes();
            await CallAsync(LabCluster.EndpointOf(replica), "test_trigger_prompt_change");
            await Wait.UntilAsync(() => Changes() > before, $"the change on {replica.Id}", TimeSpan.FromSeconds(60));
        }

        // Whichever has the stream: it is among these.
        var doomed = (await fixture.CompleteAsync()).Replicas;
        fixture.Cluster.Kill(doomed[0].Id);
        fixture.Cluster.Kill(doomed[1].Id);
        await fixture.CompleteAsync();
        fixture.Cluster.Kill(doomed[2].Id);
        await fixture.CompleteAsync();
        var (after, read) = (Changes(), stream.Read());
        await Wait.UntilAsync(
            async () =>
            {
                await CallAsync(fixture.Cluster.Endpoint, "test_trigger_prompt_change");
                return Changes() > after;
            },
            "a change after the deaths",
            TimeSpan.FromSeconds(60));

        Assert.False(read.IsCompleted, "The stream has ended.");
        Assert.Single(stream.Messages, message => (string?)message["method"] == "notifications/subscriptions/acknowledged");
        Assert.All(stream.Messages, message => Assert.Equal(1, (int)message["params"]!["_meta"]!["io.modelcontextprotocol/subscriptionId"]!));

        int Changes() => stream.Messages.Count(message => (string?)message["method"] == "notifications/prompts/list_changed");
    }

    private static async Task<JsonNode> CallAsync(Uri endpoint, string tool, string? requestState = null)
    {
        using var client = new RawClient(endpoint);
        var parameters = new JsonObject { ["name"] = tool, ["arguments"] = new JsonObject() };
        if (requestState is not null)
            (parameters["requestState"], parameters["inputResponses"]) = (requestState, new JsonObject { ["confirm"] = new JsonObject { ["action"] = "accept", ["content"] = new JsonObject { ["ok"] = true } } });
        using var response = await PostAsync(client, "tools/call", tool, parameters);
        return await response.AnswerAsync();
    }

    private static async Task<RawResponse> PostAsync(RawClient client, string method, string? name, JsonObject parameters)
    {
        parameters["_meta"] = new JsonObject
        {
            ["io.modelcontextprotocol/protocolVersion"] = Revision,
            ["io.modelcontextprotocol/clientInfo"] = new JsonObject { ["name"] = "raw-test", ["version"] = "1.0.0" },
            ["io.modelcontextprotocol/clientCapabilities"] = new JsonObject { ["elicitation"] = new JsonObject() },
        };
        return await client.PostAsync(RawClient.Request(1, method, parameters), request =>
        {
            request.Headers.Add("MCP-Protocol-Version", Revision);
            request.Headers.Add("Mcp-Method", method);
            if (name is not null)
                request.Headers.Add("Mcp-Name", name);
        });
    }
}

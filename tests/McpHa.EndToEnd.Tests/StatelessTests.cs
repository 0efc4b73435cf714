using System.Net;
using System.Text.Json.Nodes;
using McpHa.Tests.Clients;
using McpHa.Tests.Cluster;

namespace McpHa.Tests;

/// <summary>Clients of revision 2026-07-28, which has no sessions: any replica will do, on the same endpoint.</summary>
public sealed class StatelessTests(ClusterFixture fixture) : ClusterTest(fixture)
{
    private const string Revision = "2026-07-28";

    [SkippableFact]
    public async Task The_CSharp_client_by_default_works_without_a_session_on_any_replica()
    {
        var (first, second, third) = await ReplicasAsync();
        foreach (var endpoint in new[] { Cluster.Endpoint, LabCluster.EndpointOf(first), LabCluster.EndpointOf(second), LabCluster.EndpointOf(third) })
        {
            await using var client = await CSharpClient.ConnectAsync(endpoint, session: null, version: null);

            Assert.Equal("hello", await client.CallAsync("echo", new { text = "hello" }));
            var here = await client.AskAsync("where_am_i");
            Assert.Null((string?)here["session"]);
            Assert.Equal(0, (long)here["epoch"]!);
            var call = client.Call("countdown", new { seconds = 0.2, intervalMs = 50 });
            Assert.Equal("liftoff", (await call.Answer.WaitAsync(Limit)).Text);
            await Wait.UntilAsync(() => call.Progress.Count >= 4, "all progress");
        }
    }

    [SkippableFact]
    public async Task Without_a_session_a_handle_carries_notes_and_counter_from_replica_to_replica()
    {
        var (first, second, third) = await ReplicasAsync();
        string? notebook = null, counter = null;
        List<string> notes = [];
        foreach (var endpoint in new[] { LabCluster.EndpointOf(first), LabCluster.EndpointOf(second), Cluster.Endpoint, LabCluster.EndpointOf(third) })
        {
            await using var client = await CSharpClient.ConnectAsync(endpoint, session: null, version: null);
            notes.Add($"note {notes.Count}");

            var added = await client.AskAsync("notes_add", new { text = notes[^1], notebook });
            var counted = await client.AskAsync("counter_increment", new { counter });

            Assert.Equal(notes, added["notes"]!.AsArray().Select(note => (string)note!));
            Assert.Equal(notes.Count, (long)counted["value"]!);
            (notebook, counter) = ((string?)added["handle"], (string?)counted["handle"]);
            Assert.NotNull(notebook);
            Assert.NotNull(counter);
        }
    }

    [SkippableFact]
    public async Task A_handle_outlives_the_replica_that_made_it()
    {
        await using var client = await CSharpClient.ConnectAsync(Cluster.Endpoint, session: null, version: null);
        var maker = Owner.From(await client.AskAsync("where_am_i"));
        var handle = (string?)(await client.AskAsync("counter_increment"))["handle"];

        maker.Kill();
        await Wait.UntilAsync(() => !Processes.IsAlive(maker.ProcessId), "the replica to be dead");

        Assert.Equal(2, (long)(await client.AskAsync("counter_increment", new { counter = handle }))["value"]!);
    }

    [SkippableFact]
    public async Task Basic_requests_are_answered_by_balancer_and_replicas_alike()
    {
        var (first, second, _) = await ReplicasAsync();
        foreach (var endpoint in new[] { Cluster.Endpoint, LabCluster.EndpointOf(first), LabCluster.EndpointOf(second) })
        {
            using var client = new RawClient(endpoint);

            var discovered = await AskAsync(client, "server/discover");
            Assert.Contains(Revision, discovered["supportedVersions"]!.AsArray().Select(version => (string)version!));
            var tools = await AskAsync(client, "tools/list");
            Assert.Contains("echo", tools["tools"]!.AsArray().Select(tool => (string)tool!["name"]!));
            var echoed = await AskAsync(client, "tools/call", "echo", new JsonObject { ["text"] = "hello" });
            Assert.Equal("hello", (string?)echoed["content"]![0]!["text"]);
        }
    }

    [SkippableFact]
    public async Task GET_and_DELETE_are_not_allowed_there()
    {
        using var client = new RawClient(Cluster.Endpoint);

        using var get = await client.GetAsync(change: request => request.Headers.Add("MCP-Protocol-Version", Revision));

        Assert.Equal(HttpStatusCode.MethodNotAllowed, get.Status);
    }

    private static async Task<JsonNode> AskAsync(RawClient client, string method, string? name = null, JsonObject? arguments = null)
    {
        var parameters = new JsonObject
        {
            ["_meta"] = new JsonObject
            {
                ["io.modelcontextprotocol/protocolVersion"] = Revision,
                ["io.modelcontextprotocol/clientInfo"] = new JsonObject { ["name"] = "raw-test", ["version"] = "1.0.0" },
                ["io.modelcontextprotocol/clientCapabilities"] = new JsonObject(),
            },
        };
        if (name is not null)
            (parameters["name"], parameters["arguments"]) = (name, arguments);
        using var response = await client.PostAsync(RawClient.Request(1, method, parameters), request =>
        {
            request.Headers.Add("MCP-Protocol-Version", Revision);
            request.Headers.Add("Mcp-Method", method);
            if (name is not null)
                request.Headers.Add("Mcp-Name", name);
        });
        var answer = await response.AnswerAsync();
        Assert.True(response.Status == HttpStatusCode.OK, answer.ToJsonString());
        return answer["result"]!;
    }
}

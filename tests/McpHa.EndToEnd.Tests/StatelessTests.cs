using System.Net;
using System.Text.Json.Nodes;
using McpHa.Tests.Clients;
using McpHa.Tests.Cluster;

namespace McpHa.Tests;

/// <summary>Clients of revision 2026-07-28, which has no sessions: any replica will do, on the same endpoint.</summary>
public sealed class StatelessTests(ClusterFixture fixture) : ClusterTest(fixture)
{
    private const string Revision = "2026-07-28";

    [Fact]
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

    [Fact]
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

    [Fact]
    public async Task A_handle_outlives_the_replica_that_made_it()
    {
        await using var client = await CSharpClient.ConnectAsync(Cluster.Endpoint, session: null, version: null);
        var maker = Owner.From(await client.AskAsync("where_am_i"));
        var handle = (string?)(await client.AskAsync("counter_increment"))["handle"];

        // Not in the very moment of its death: a request that meets that is told that it may have run.
        await Cluster.KillAndReplaceAsync(maker.Replica);

        Assert.Equal(2, (long)(await client.AskAsync("counter_increment", new { counter = handle }))["value"]!);
    }

    [Fact]
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

    [Fact]
    public async Task A_client_that_never_sends_its_session_id_is_served_by_balancer_and_replicas_alike()
    {
        var (first, second, _) = await ReplicasAsync();
        using var opener = new RawClient(Cluster.Endpoint);
        await opener.InitializeAsync();
        string? counter = null;
        var counted = 0;
        foreach (var endpoint in new[] { Cluster.Endpoint, LabCluster.EndpointOf(first), LabCluster.EndpointOf(second), Cluster.Endpoint })
        {
            using var client = new RawClient(endpoint);
            using var listed = await client.PostAsync(RawClient.Request(1, "tools/list"));
            Assert.NotEmpty((await listed.AnswerAsync())["result"]!["tools"]!.AsArray());

            var answer = await client.CallAsync(1, "counter_increment", new { counter });

            var result = JsonNode.Parse((string)answer["result"]!["content"]![0]!["text"]!)!;
            Assert.Equal(++counted, (int)result["value"]!);
            counter = (string?)result["handle"];
        }
    }

    [Fact]
    public async Task GET_and_DELETE_are_not_allowed_there()
    {
        using var client = new RawClient(Cluster.Endpoint);

        using var get = await client.GetAsync(change: request => request.Headers.Add("MCP-Protocol-Version", Revision));

        Assert.Equal(HttpStatusCode.MethodNotAllowed, get.Status);
    }

    [Fact]
    public async Task A_call_that_may_be_run_again_survives_its_replica_on_the_same_response_with_every_step_once()
    {
        await ReplicasAsync();
        using var client = new RawClient(Cluster.Endpoint);
        using var response = await SendAsync(client, "tools/call", "countdown", new JsonObject { ["seconds"] = 4, ["intervalMs"] = 200 }, progressToken: "steps");
        await Wait.UntilAsync(() => response.Events.Count(e => e.Progress is not null) >= 3, "some progress", Limit);

        KillWhoRunsIt();

        var answer = await response.AnswerAsync().WaitAsync(Limit);
        Assert.Equal("liftoff", (string?)answer["result"]!["content"]![0]!["text"]);
        AssertEveryStepOnce(ClientKind.TypeScript, 20, [.. response.Events.Where(e => e.Progress is not null).Select(e => e.Progress!.Value)]);
    }

    [Fact]
    public async Task A_call_that_must_not_run_twice_ends_at_once_when_its_replica_dies()
    {
        await ReplicasAsync();
        var parcel = $"parcel-{Guid.NewGuid():N}";
        using var client = new RawClient(Cluster.Endpoint);
        // Its response begins with its first message.
        var posting = SendAsync(client, "tools/call", "deliver", new JsonObject { ["seconds"] = 3000, ["parcel"] = parcel });
        await Wait.UntilAsync(() => Fixture.Deliveries(parcel) == 1, "the delivery to be on its way", Limit);

        KillWhoRunsIt();

        using var response = await posting.WaitAsync(Limit);
        var error = (await response.AnswerAsync().WaitAsync(Limit))["error"]!;
        Assert.Equal(-32010, (int)error["code"]!);
        Assert.Contains("may have run", (string?)error["message"], StringComparison.Ordinal);
        Assert.Equal(1, Fixture.Deliveries(parcel));
    }

    // The test cannot know which replica it is, so all die.
    private void KillWhoRunsIt()
    {
        foreach (var replica in Cluster.State.Replicas)
            Processes.Send(replica.Pid, Processes.SigKill);
    }

    private static async Task<JsonNode> AskAsync(RawClient client, string method, string? name = null, JsonObject? arguments = null)
    {
        using var response = await SendAsync(client, method, name, arguments);
        var answer = await response.AnswerAsync();
        Assert.True(response.Status == HttpStatusCode.OK, answer.ToJsonString());
        return answer["result"]!;
    }

    private static Task<RawResponse> SendAsync(RawClient client, string method, string? name = null, JsonObject? arguments = null, string? progressToken = null)
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
        if (progressToken is not null)
            parameters["_meta"]!["progressToken"] = progressToken;
        return client.PostAsync(RawClient.Request(1, method, parameters), request =>
        {
            request.Headers.Add("MCP-Protocol-Version", Revision);
            request.Headers.Add("Mcp-Method", method);
            if (name is not null)
                request.Headers.Add("Mcp-Name", name);
        });
    }
}

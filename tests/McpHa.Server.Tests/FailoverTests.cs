#if (!noAuth)
using System.Net;
#endif
#if (!noSamples)
using System.Text.Json.Nodes;
using ModelContextProtocol;
using ModelContextProtocol.Client;
using ModelContextProtocol.Protocol;
#endif

namespace McpHa.Tests;

/// <summary>Replicas are killed (<c>kill -9</c>), and no client notices.</summary>
public sealed class FailoverTests(ClusterFixture fixture) : IClassFixture<ClusterFixture>
{
    [Fact]
    public async Task A_session_goes_on_when_one_replica_after_the_other_is_killed()
    {
        await using var client = await fixture.ConnectAsync();
        var session = client.SessionId;

        // Whichever it is, the owner of the session is among them.
        foreach (var replica in fixture.Cluster.State.Replicas)
        {
            await fixture.Cluster.KillAndReplaceAsync(replica.Id);
            await client.PingAsync();
        }

        Assert.Equal(session, client.SessionId);
    }

    [Fact]
    public async Task The_cluster_page_shows_every_replica()
    {
        using var http = new HttpClient { DefaultRequestHeaders = { { "Accept", "text/html" } } };

        var page = await http.GetStringAsync(new Uri(fixture.Cluster.Endpoint, "/"));

        Assert.All(fixture.Cluster.State.Replicas, replica => Assert.Contains(replica.Id, page, StringComparison.Ordinal));
    }
#if (!noSamples)

    [Fact]
    public async Task A_call_in_flight_finishes_when_its_replica_is_killed()
    {
        await using var client = await fixture.ConnectAsync();
        await client.CallToolAsync("notes_add", new Dictionary<string, object?> { ["text"] = "survives" });
        var owner = await WhereAsync(client);

        var steps = new StepLog();
        var call = client.CallToolAsync("countdown", new Dictionary<string, object?> { ["seconds"] = 2, ["intervalMs"] = 100 }, steps).AsTask();
        await Wait.UntilAsync(() => steps.Count > 2, "the countdown to run");
        fixture.Cluster.Kill(owner);

        Assert.Equal("liftoff", Assert.IsType<TextContentBlock>(Assert.Single((await call).Content)).Text);
        Assert.NotEqual(owner, await WhereAsync(client));
        var notes = await client.CallToolAsync("notes_list");
        Assert.Equal(["survives"], Structured(notes)["notes"]!.AsArray().Select(note => (string)note!));
    }

    private static async Task<string> WhereAsync(McpClient client) => (string)Structured(await client.CallToolAsync("where_am_i"))["replica"]!;

    private static JsonNode Structured(CallToolResult result) => JsonNode.Parse(result.StructuredContent!.Value.GetRawText())!;

    private sealed class StepLog : IProgress<ProgressNotificationValue>
    {
        private int _count;

        public int Count => Volatile.Read(ref _count);

        public void Report(ProgressNotificationValue value) => Interlocked.Increment(ref _count);
    }
#endif
#if (!noAuth)

    [Fact]
    public async Task Nobody_gets_in_without_a_token()
    {
        using var http = new HttpClient();
        using var body = new StringContent("""{"jsonrpc":"2.0","id":1,"method":"ping"}""", null, "application/json");

        using var answer = await http.PostAsync(fixture.Cluster.Endpoint, body);

        Assert.Equal(HttpStatusCode.Unauthorized, answer.StatusCode);
    }
#endif
}

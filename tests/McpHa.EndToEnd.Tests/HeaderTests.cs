using McpHa.Tests.Clients;
using McpHa.Tests.Cluster;

namespace McpHa.Tests;

/// <summary>What replicas and balancers tell each other stays among them.</summary>
public sealed class HeaderTests(ClusterFixture fixture) : ClusterTest(fixture)
{
    [Fact]
    public async Task No_header_of_the_cluster_reaches_a_client_through_the_balancer()
    {
        using var client = new RawClient(Cluster.Endpoint);
        using (var initialize = await client.PostAsync(RawClient.Request(0, "initialize", new
        {
            protocolVersion = "2025-11-25",
            capabilities = new { },
            clientInfo = new { name = "raw-test", version = "1.0.0" },
        })))
        {
            AssertClean(initialize);
            client.SessionId = initialize.Header("Mcp-Session-Id");
        }

        // A client that names those headers itself gets no more.
        Action<HttpRequestMessage> curious = request =>
        {
            request.Headers.Add("Mcp-Ha-Relay", "1");
            request.Headers.Add("Mcp-Ha-Hop", "somebody");
        };
        using var json = await client.PostAsync(RawClient.ToolCall(1, "echo", new { text = "x" }), curious);
        using var stream = await client.PostAsync(RawClient.ToolCall(2, "countdown", new { seconds = 0.1, intervalMs = 50 }, progressToken: "p"), curious);
        using var get = await client.GetAsync(change: curious);
        using var bad = await client.PostAsync("no json", curious);
        using var notification = await client.PostAsync("""{"jsonrpc":"2.0","method":"notifications/initialized"}""", curious);
        using var deleted = await client.DeleteAsync();
        using var gone = await client.PostAsync(RawClient.ToolCall(3, "echo", new { text = "x" }), curious);

        Assert.All([json, stream, get, bad, notification, deleted, gone], AssertClean);
        Assert.Equal([200, 200, 200, 400, 202, 200, 404], new[] { json, stream, get, bad, notification, deleted, gone }.Select(r => (int)r.Status));
    }

    [Fact]
    public async Task A_replica_asked_by_a_client_keeps_them_to_itself_too()
    {
        using var client = await ConnectRawAsync(Access.NonOwner);
        using var json = await client.PostAsync(RawClient.ToolCall(1, "echo", new { text = "x" }));
        using var stream = await client.PostAsync(RawClient.ToolCall(2, "countdown", new { seconds = 0.1, intervalMs = 50 }, progressToken: "p"));

        Assert.All(new[] { json, stream }, response =>
            Assert.DoesNotContain(response.HeaderNames, name => name.StartsWith("Mcp-Ha-", StringComparison.OrdinalIgnoreCase)));
    }

    private static void AssertClean(RawResponse response) => Assert.DoesNotContain(
        response.HeaderNames,
        name => name.StartsWith("Mcp-Ha-", StringComparison.OrdinalIgnoreCase) || name.Equals("Server", StringComparison.OrdinalIgnoreCase));
}

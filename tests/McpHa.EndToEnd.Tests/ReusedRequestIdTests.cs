using System.Text.Json.Nodes;
using McpHa.Tests.Clients;
using McpHa.Tests.Cluster;

namespace McpHa.Tests;

/// <summary>Clients that use request ids again: official clients that resume a session in a new process, and clients that send one id with every request.</summary>
public sealed class ReusedRequestIdTests(ClusterFixture fixture) : ClusterTest(fixture)
{
    [Theory]
    [MemberData(nameof(Everywhere))]
    public async Task A_client_that_resumes_its_session_in_a_new_process_gets_its_own_answers(ClientKind kind, Access access)
    {
        var endpoint = access switch
        {
            Access.Balancer => Cluster.Endpoint,
            Access.Nginx => Nginx,
            _ => LabCluster.EndpointOf((await ReplicasAsync()).First),
        };

        using var opener = new RawClient(endpoint);
        var session = await opener.InitializeAsync();
        for (var process = 0; process < 3; process++)
        {
            // The C# client would end the session when it is disposed.
            await using TestClient client = kind == ClientKind.CSharp
                ? await CSharpClient.ConnectAsync(endpoint, session, ownsSession: false)
                : await ConnectAsync(kind, endpoint, session);
            for (var n = 1; n <= 3; n++)
                Assert.Equal((process * 3) + n, (int)(await client.AskAsync("counter_increment"))["value"]!);
            Assert.StartsWith("delivered by ", await client.CallAsync("deliver", new { seconds = 0.01 }), StringComparison.Ordinal);
            Assert.Equal(process + 1, Fixture.Deliveries(session));
        }
    }

    [Theory]
    [MemberData(nameof(AllWays))]
    public async Task One_id_with_every_request_runs_every_request(Access access)
    {
        using var client = await ConnectRawAsync(access);
        for (var n = 1; n <= 3; n++)
        {
            Assert.Equal(n, (int)(await client.CallAsync(1, "counter_increment"))["result"]!["structuredContent"]!["value"]!);
            Assert.Equal($"{n}", Text(await client.CallAsync(1, "echo", new { text = $"{n}" })));
        }

        var both = await Task.WhenAll(
            client.CallAsync(1, "deliver", new { seconds = 0.3 }), client.CallAsync(1, "deliver", new { seconds = 0.3 })).WaitAsync(Limit);
        Assert.All(both, answer => Assert.StartsWith("delivered by ", Text(answer), StringComparison.Ordinal));
        Assert.Equal(2, Fixture.Deliveries(client.SessionId!));
    }

    [Theory]
    [MemberData(nameof(AllWays))]
    public async Task A_cancellation_that_comes_late_ends_none_of_the_requests_after_it(Access access)
    {
        using var client = await ConnectRawAsync(access);
        Assert.Equal("1", Text(await client.CallAsync(1, "echo", new { text = "1" })));
        using (var late = await client.PostAsync("""{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"""))
            Assert.Equal(System.Net.HttpStatusCode.Accepted, late.Status);

        for (var n = 2; n <= 4; n++)
            Assert.Equal($"{n}", Text(await client.CallAsync(1, "echo", new { text = $"{n}" })));
    }

    private static string? Text(JsonNode answer) => (string?)answer["result"]?["content"]?[0]?["text"];
}

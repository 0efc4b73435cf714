using System.Net;
using System.Text.Json.Nodes;
using Mcp.HighAvailability.Lab.Chaos.History;
using Mcp.HighAvailability.Lab.Chaos.Workload;

namespace McpHa.Tests.Chaos;

/// <summary>What a server hears of chaos's C# client.</summary>
[Trait("Category", "Quick")]
public sealed class CSharpClientTests
{
    [Fact]
    public async Task A_call_that_is_given_up_is_cancelled_at_the_server()
    {
        var history = new HistoryLog();
        using var server = new Server();
        using var route = new Route([new("http://server/mcp")], 1, history, server);
        await using var client = await CSharpClient.ConnectAsync(
            new("http://server/mcp"), route, "2025-11-25", new ClientObserver(history), _ => TimeSpan.Zero, CancellationToken.None);
        using var patience = new CancellationTokenSource();

        var call = client.RequestAsync(7, "tools/call", new() { ["name"] = "countdown" }, patience.Token);
        var id = await server.Called.Task.WaitAsync(Wait.Limit);
        patience.Cancel();

        Assert.Equal(OutcomeKind.Cancelled, (await call.WaitAsync(Wait.Limit)).Kind);
        Assert.Equal(id, await server.Withdrawn.Task.WaitAsync(Wait.Limit));
    }

    /// <summary>Opens sessions, and never answers a call.</summary>
    private sealed class Server : HttpMessageHandler
    {
        public TaskCompletionSource<string> Called { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public TaskCompletionSource<string> Withdrawn { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            if (request.Method != HttpMethod.Post)
                return new(HttpStatusCode.MethodNotAllowed);
            var message = JsonNode.Parse(await request.Content!.ReadAsStringAsync(cancellationToken))!;
            switch ((string?)message["method"])
            {
                case "initialize":
                    var answer = new JsonObject
                    {
                        ["jsonrpc"] = "2.0",
                        ["id"] = message["id"]!.DeepClone(),
                        ["result"] = new JsonObject
                        {
                            ["protocolVersion"] = "2025-11-25",
                            ["capabilities"] = new JsonObject { ["tools"] = new JsonObject() },
                            ["serverInfo"] = new JsonObject { ["name"] = "server", ["version"] = "1" },
                        },
                    };
                    var response = new HttpResponseMessage(HttpStatusCode.OK) { Content = new StringContent(answer.ToJsonString(), null, "application/json") };
                    response.Headers.Add("Mcp-Session-Id", "s");
                    return response;
                case "tools/call":
                    Called.TrySetResult(message["id"]!.ToJsonString());
                    await Task.Delay(Timeout.Infinite, cancellationToken);
                    break;
                case "notifications/cancelled":
                    Withdrawn.TrySetResult(message["params"]!["requestId"]!.ToJsonString());
                    break;
            }

            return new(HttpStatusCode.Accepted);
        }
    }
}

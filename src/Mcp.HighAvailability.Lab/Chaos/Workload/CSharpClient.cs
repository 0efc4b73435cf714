using System.Text.Json;
using System.Text.Json.Nodes;
using Mcp.HighAvailability.Lab.Chaos.History;
using Mcp.HighAvailability.Lab.Sdk;
using ModelContextProtocol;
using ModelContextProtocol.Client;
using ModelContextProtocol.Protocol;

namespace Mcp.HighAvailability.Lab.Chaos.Workload;

/// <summary>The C# SDK's client, as it is.</summary>
internal sealed class CSharpClient : FleetClient
{
    private readonly HttpClient _http;
    // Longer than requests are held while an owner or Redis is away.
    private static readonly TimeSpan CancelTimeout = TimeSpan.FromSeconds(60);

    private readonly McpClient _client;
    private readonly ClientObserver _observer;

    private CSharpClient(HttpClient http, McpClient client, ClientObserver observer) => (_http, _client, _observer) = (http, client, observer);

    public override string Session => _client.SessionId ?? "";

    /// <summary>Opens a session.</summary>
    /// <param name="endpoint">Any of the endpoints: <paramref name="route"/> knows where requests go.</param>
    /// <param name="route">Sends the client's requests.</param>
    /// <param name="revision">Revision of the protocol to ask for.</param>
    /// <param name="observer">Writes the history.</param>
    /// <param name="thinking">How long the user thinks about a question.</param>
    public static async Task<CSharpClient> ConnectAsync(
        Uri endpoint, Route route, string revision, ClientObserver observer, Func<string, TimeSpan> thinking, CancellationToken cancellationToken)
    {
        // The handler below the route is shared by all clients.
        var http = new HttpClient(route, disposeHandler: false) { Timeout = Timeout.InfiniteTimeSpan };
        var transport = new HttpClientTransport(
            new() { Endpoint = endpoint, TransportMode = HttpTransportMode.StreamableHttp }, http, ownsHttpClient: false);
        var options = new McpClientOptions
        {
            ClientInfo = new() { Name = "chaos", Version = "1.0.0" },
            ProtocolVersion = revision,
            Handlers = new()
            {
                ElicitationHandler = async (asked, withdrawn) =>
                {
                    var answer = await AnswerAsync(asked?.Message ?? "", thinking, withdrawn);
                    return new() { Action = "accept", Content = new Dictionary<string, JsonElement> { ["name"] = JsonSerializer.SerializeToElement(answer) } };
                },
                SamplingHandler = async (asked, _, withdrawn) =>
                {
                    var text = asked?.Messages.LastOrDefault()?.Content.OfType<TextContentBlock>().FirstOrDefault()?.Text ?? "";
                    return new() { Model = "chaos", Role = Role.Assistant,
                        Content = [new TextContentBlock { Text = await AnswerAsync(text, thinking, withdrawn) }] };
                },
            },
        };
        var client = await McpClient.CreateAsync(new MessageTap(transport, observer.Received, observer.Sent), options, cancellationToken: cancellationToken);
        observer.Session = client.SessionId ?? "";
        return new(http, client, observer);
    }

    public override async Task<CallOutcome> RequestAsync(long call, string method, JsonObject parameters, CancellationToken cancellationToken)
    {
        var meta = new JsonObject { [ClientObserver.CallKey] = call };
        if (method == RequestMethods.ToolsCall)
            meta["progressToken"] = $"c{call}";
        parameters["_meta"] = meta;
        try
        {
            return Result((await _client.SendRequestAsync(new JsonRpcRequest { Method = method, Params = parameters }, cancellationToken)).Result);
        }
        catch (OperationCanceledException)
        {
            await WithdrawAsync(call);
            return new(OutcomeKind.Cancelled);
        }
        catch (McpProtocolException e)
        {
            return new(OutcomeKind.RpcError, e.Message, Code: (int)e.ErrorCode);
        }
        catch (HttpRequestException e)
        {
            return new(OutcomeKind.TransportError, e.Message, Code: (int?)e.StatusCode);
        }
        catch (Exception e) when (e is McpException or IOException or InvalidOperationException)
        {
            return new(OutcomeKind.TransportError, e.Message);
        }
    }

    public override async ValueTask DisposeAsync()
    {
        await _client.DisposeAsync();
        _http.Dispose();
    }

    // This SDK gives up waiting and closes the response, which to a server means nothing: the call runs to its end.
    private async Task WithdrawAsync(long call)
    {
        if (_observer.IdOf(call) is not { } id)
            return;
        using var limit = new CancellationTokenSource(CancelTimeout);
        try
        {
            await _client.SendMessageAsync(
                new JsonRpcNotification { Method = NotificationMethods.CancelledNotification, Params = new JsonObject { ["requestId"] = JsonNode.Parse(id) } },
                limit.Token);
        }
        catch (Exception e) when (e is OperationCanceledException or HttpRequestException or McpException or IOException)
        {
            // A notification has no answer and is not repeated: the call goes on, and its outcome is not checked.
        }
    }

    private static async Task<string> AnswerAsync(string question, Func<string, TimeSpan> thinking, CancellationToken withdrawn)
    {
        await Task.Delay(thinking(question), withdrawn);
        return Question.Answer(question);
    }
}

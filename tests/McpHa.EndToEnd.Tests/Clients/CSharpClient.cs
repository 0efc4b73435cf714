using System.Collections.Concurrent;
using System.Text.Json;
using System.Text.Json.Nodes;
using ModelContextProtocol;
using ModelContextProtocol.Client;
using ModelContextProtocol.Protocol;

namespace McpHa.Tests.Clients;

/// <summary>The C# SDK's client.</summary>
internal sealed class CSharpClient : TestClient
{
    private readonly ConcurrentDictionary<string, ToolCall> _calls = new();
    private McpClient _client = null!;
    private HttpClientTransport _transport = null!;

    private CSharpClient()
    {
    }

    public override string? SessionId => _client.SessionId;

    /// <summary>Connects. With the version left out the SDK chooses: it would take the revision without sessions.</summary>
    public static async Task<CSharpClient> ConnectAsync(Uri endpoint, string? session, string? version = "2025-11-25", bool sse = false, bool ownsSession = true)
    {
        var client = new CSharpClient();
        var options = new McpClientOptions
        {
            ClientInfo = new() { Name = "csharp-test", Version = "1.0.0" },
            ProtocolVersion = version,
            Handlers = new()
            {
                ElicitationHandler = (question, withdrawn) => client.AskedAsync<ElicitRequestParams, ElicitResult>(RequestMethods.ElicitationCreate, question, withdrawn),
                SamplingHandler = (question, _, withdrawn) => client.AskedAsync<CreateMessageRequestParams, CreateMessageResult>(RequestMethods.SamplingCreateMessage, question, withdrawn),
                NotificationHandlers =
                [
                    new(NotificationMethods.ProgressNotification, client.ProgressAsync),
                    new(NotificationMethods.LoggingMessageNotification, client.NotifiedAsync),
                    new(NotificationMethods.ResourceUpdatedNotification, client.NotifiedAsync),
                ],
            },
        };
        client._transport = new HttpClientTransport(new() { Endpoint = endpoint, TransportMode = sse ? HttpTransportMode.Sse : HttpTransportMode.StreamableHttp, KnownSessionId = session, OwnsSession = ownsSession });
        client._client = session is null
            ? await McpClient.CreateAsync(client._transport, options)
            : await McpClient.ResumeSessionAsync(
                client._transport,
                new()
                {
                    ServerCapabilities = new() { Tools = new(), Resources = new() { Subscribe = true }, Logging = new() },
                    ServerInfo = new() { Name = "known", Version = "1" },
                    NegotiatedProtocolVersion = version,
                },
                options);
        return client;
    }

    public override ToolCall Call(string tool, object? arguments = null)
    {
        var cancel = new CancellationTokenSource();
        var call = new ToolCall { Cancel = cancel.CancelAsync };

        // Own token and own handler: the SDK's helper stops listening with the answer, which may overtake the last notification in the
        // client, because the SDK handles messages side by side.
        var token = Guid.NewGuid().ToString("N");
        _calls[token] = call;
        call.Answer = AnswerAsync();
        return call;

        async Task<ToolAnswer> AnswerAsync()
        {
            var parameters = new CallToolRequestParams
            {
                Name = tool,
                Arguments = ToJson(arguments).ToDictionary(a => a.Key, a => JsonSerializer.SerializeToElement(a.Value)),
                Meta = new JsonObject { ["progressToken"] = token },
            };
            var result = await Run(() => _client.CallToolAsync(parameters, cancel.Token).AsTask());
            var text = string.Concat(result.Content.OfType<TextContentBlock>().Select(block => block.Text));
            return new(text, result.StructuredContent is { } structured ? JsonSerializer.SerializeToNode(structured) : null, result.IsError ?? false);
        }
    }

    public override async Task<JsonNode> RequestAsync(string method, object? parameters = null) =>
        (await Run(() => _client.SendRequestAsync(new JsonRpcRequest { Method = method, Params = ToJson(parameters) }))).Result!;

    // Disposing a client that owns its session sends DELETE.
    public override async Task TerminateAsync()
    {
        await _client.DisposeAsync();
        await _transport.DisposeAsync();
    }

    public override async ValueTask DisposeAsync()
    {
        await _client.DisposeAsync();
        await _transport.DisposeAsync();
    }

    private static async Task<T> Run<T>(Func<Task<T>> request)
    {
        try
        {
            return await request();
        }
        catch (McpProtocolException e)
        {
            throw new RpcException((int)e.ErrorCode, e.Message, e);
        }
        catch (Exception e) when (e is McpException or HttpRequestException or IOException)
        {
            throw new RpcException(0, e.Message, e);
        }
    }

    private async ValueTask<TResult> AskedAsync<TParams, TResult>(string method, TParams? parameters, CancellationToken withdrawn)
    {
        var answer = new TaskCompletionSource<JsonObject>(TaskCreationOptions.RunContinuationsAsynchronously);
        Add(new Question(
            method,
            JsonSerializer.SerializeToNode(parameters, McpJsonUtilities.DefaultOptions)!.AsObject(),
            result =>
            {
                answer.TrySetResult(result);
                return Task.CompletedTask;
            }));
        var result = await answer.Task.WaitAsync(withdrawn);
        return result.Deserialize<TResult>(McpJsonUtilities.DefaultOptions)!;
    }

    private ValueTask ProgressAsync(JsonRpcNotification notification, CancellationToken cancellationToken)
    {
        if (notification.Params is JsonObject progress && (string?)progress["progressToken"] is { } token && _calls.TryGetValue(token, out var call))
            call.Report((double)progress["progress"]!);
        return default;
    }

    private ValueTask NotifiedAsync(JsonRpcNotification notification, CancellationToken cancellationToken)
    {
        Add(new Notification(notification.Method, notification.Params?.AsObject() ?? []));
        return default;
    }
}

using System.Net.ServerSentEvents;
using Microsoft.Extensions.Logging;
using ModelContextProtocol.Protocol;
using ModelContextProtocol.Server;

// The types of resumable streams are obsolete as something to host on; they are all there is to hear of EnablePollingAsync.
#pragma warning disable MCP9006

namespace Mcp.HighAvailability.Sessions;

/// <summary>Lets handlers end their response and have the client come back for the rest: <c>RequestContext.EnablePollingAsync</c>.</summary>
/// <remarks>
/// The SDK asks for its own transport there. One such transport, that carries nothing, serves the whole process: handlers see it in their request,
/// and what it is told goes to the call that the flow of execution belongs to.
/// </remarks>
internal sealed class Polling : ISseEventStreamStore, ISseEventStreamWriter
{
    private readonly Lazy<Task<ITransport?>> _transport;

    public Polling(ILoggerFactory loggerFactory) => _transport = new(() => OpenAsync(loggerFactory));

    /// <summary>A filter that goes around all others.</summary>
    public McpRequestHandler<TParams, TResult> Wrap<TParams, TResult>(McpRequestHandler<TParams, TResult> next) =>
        async (request, cancellationToken) =>
        {
            if (request.JsonRpcRequest is { Context: { RelatedTransport: OpenCall } context } original)
            {
                // A copy: the SDK answers by way of the original.
                request.JsonRpcRequest = new JsonRpcRequest
                {
                    Id = original.Id,
                    Method = original.Method,
                    Params = original.Params,
                    Context = new()
                    {
                        RelatedTransport = await _transport.Value.ConfigureAwait(false),
                        ExecutionContext = context.ExecutionContext,
                        User = context.User,
                        Items = context.Items,
                        ProtocolVersion = context.ProtocolVersion,
                        ClientInfo = context.ClientInfo,
                        ClientCapabilities = context.ClientCapabilities,
                        LogLevel = context.LogLevel,
                    },
                };
            }

            return await next(request, cancellationToken).ConfigureAwait(false);
        };

    public ValueTask<ISseEventStreamWriter> CreateStreamAsync(SseEventStreamOptions options, CancellationToken cancellationToken = default) => new(this);

    public ValueTask<ISseEventStreamReader?> GetStreamReaderAsync(string lastEventId, CancellationToken cancellationToken = default) => default;

    public ValueTask SetModeAsync(SseEventStreamMode mode, CancellationToken cancellationToken = default) => default;

    public ValueTask<SseItem<JsonRpcMessage?>> WriteEventAsync(SseItem<JsonRpcMessage?> sseItem, CancellationToken cancellationToken = default)
    {
        if (sseItem is { Data: null, ReconnectionInterval: { } retry } && CallScope.Current is OpenCall call)
            call.EndResponse(retry);
        return new(sseItem);
    }

    public ValueTask DisposeAsync() => default;

    private async Task<ITransport?> OpenAsync(ILoggerFactory loggerFactory)
    {
        var transport = new StreamableHttpServerTransport(loggerFactory) { SessionId = "polling", EventStreamStore = this };
        await transport.HandleInitializeRequestAsync(new()
        {
            ProtocolVersion = Protocol.McpHeaders.FirstWithPriming,
            Capabilities = new(),
            ClientInfo = new() { Name = "polling", Version = "1" },
        }).ConfigureAwait(false);
        var request = new JsonRpcRequest { Id = new RequestId("polling"), Method = "polling" };
        _ = transport.HandlePostRequestAsync(request, Stream.Null, CancellationToken.None);
        var read = await transport.MessageReader.ReadAsync().ConfigureAwait(false);
        return read.Context?.RelatedTransport;
    }
}

using System.Diagnostics;
using System.Text.Json.Nodes;
using Mcp.HighAvailability.Protocol;
using ModelContextProtocol.Protocol;
using ModelContextProtocol.Server;

namespace Mcp.HighAvailability.Diagnostics;

/// <summary>Keeps what a call does in the trace of the request that brought it, also when it is run again by another owner.</summary>
internal static class CallTrace
{
    private const string Meta = "_meta";
    private const string TraceParent = "traceparent";
    private const string TraceState = "tracestate";

    // Of the library's own, for only the client's is to be honoured wherever the call runs.
    private const string Kept = "mcp-ha/traceparent";

    private static readonly string[] _notifications =
    [
        NotificationMethods.InitializedNotification, NotificationMethods.CancelledNotification,
        NotificationMethods.ProgressNotification, NotificationMethods.RootsListChangedNotification,
    ];

    /// <summary>
    /// The request as a later owner runs it again: with the trace that it is part of in <c>_meta</c>, unless its client has put its own there. The
    /// very same bytes when it is not traced.
    /// </summary>
    public static ReadOnlyMemory<byte> Keep(JsonRpcRequest request, ReadOnlyMemory<byte> body)
    {
        // What is replayed into every later owner belongs to no request.
        if (!SessionTrace.IsOn || Activity.Current is not { Recorded: true } current || request.Params is not JsonObject parameters ||
            request.Method is not (RequestMethods.ToolsCall or RequestMethods.PromptsGet or RequestMethods.ResourcesRead))
            return body;
        if (parameters[Meta] is { } meta && (meta is not JsonObject known || known.ContainsKey(TraceParent)))
            return body;

        var copy = (JsonObject)parameters.DeepClone();
        if (copy[Meta] is not JsonObject kept)
            copy[Meta] = kept = [];

        // The span of the request itself ends with its replica and may be lost with it; the span of the sender stays.
        kept[Kept] = current.HasRemoteParent && current.ParentId is { Length: > 0 } sender ? sender : current.Id;
        if (current.TraceStateString is { Length: > 0 } state)
            kept[TraceState] = state;
        return JsonRpc.Serialize(new JsonRpcRequest { Id = request.Id, Method = request.Method, Params = copy });
    }

    /// <summary>
    /// Lets a call that is run again be part of the trace that <see cref="Keep"/> has noted: below the request that caused the take-over when that is of the
    /// same trace, as a relay's next attempt is; otherwise below the sender of the call.
    /// </summary>
    public static void Rejoin(JsonRpcRequest request, ActivityContext cause)
    {
        if (request.Params is not JsonObject parameters || parameters[Meta] is not JsonObject meta || (string?)meta[Kept] is not { } kept)
            return;
        meta.Remove(Kept);
        meta[TraceParent] = ActivityContext.TryParse(kept, null, out var trace) && trace.TraceId == cause.TraceId
            ? $"00-{cause.TraceId}-{cause.SpanId}-01"
            : kept;
    }

    /// <summary>
    /// Lets what a server makes of a client's notification be part of the request that brought it, unless its client has put another trace there.
    /// </summary>
    public static void Join(JsonRpcMessage message)
    {
        if (SessionTrace.IsOn && Activity.Current?.Id is { } request)
            Join(message, request);
    }

    /// <summary>Lets what a server hears of its session's beginning be part of the session's trace, unless its client has put its own there.</summary>
    public static void Join(JsonRpcMessage message, string traceParent)
    {
        if (!SessionTrace.IsOn || traceParent.Length == 0)
            return;
        if (message is JsonRpcRequest request)
            request.Params = Join(request.Params, traceParent);
        else if (message is JsonRpcNotification notification)
            notification.Params = Join(notification.Params, traceParent);
    }

    private static JsonNode? Join(JsonNode? parameters, string traceParent)
    {
        if (parameters is not (null or JsonObject) || parameters?[Meta] is { } meta && (meta is not JsonObject known || known.ContainsKey(TraceParent)))
            return parameters;
        var joined = parameters as JsonObject ?? [];
        if (joined[Meta] is not JsonObject kept)
            joined[Meta] = kept = [];
        kept[TraceParent] = traceParent;
        return joined;
    }

    /// <summary>
    /// Completes the SDK's span of a message that is being answered, sent or heard with the session's own id: what stands there by itself is different in
    /// every owner.
    /// </summary>
    public static void Complete(string? sessionId)
    {
        if (SessionTrace.IsOn)
            Current?.SetTag(AttributeNames.SessionId, sessionId);
    }

    /// <summary>The same for a notification that is sent or heard. Progress is left out of the traces: a long call reports it thousands of times.</summary>
    public static void Complete(string? sessionId, JsonRpcMessage message)
    {
        if (!SessionTrace.IsOn || Current is not { } span)
            return;
        span.SetTag(AttributeNames.SessionId, sessionId);
        if (message is JsonRpcNotification { Method: NotificationMethods.ProgressNotification })
            TelemetryServices.LeaveOut(span);
    }

    /// <summary>The same for the span of a request, whose id in the SDK is none that its client knows.</summary>
    public static void Complete(string? sessionId, RequestId clientId)
    {
        if (SessionTrace.IsOn)
            Current?.SetTag(AttributeNames.SessionId, sessionId).SetTag(AttributeNames.RequestId, clientId.ToString());
    }

    /// <summary>Completes the spans of notifications from clients, too.</summary>
    public static void AddTo(McpServerOptions options) => options.Handlers.NotificationHandlers =
    [
        .. options.Handlers.NotificationHandlers ?? [],
        .. _notifications.Select(static method => new KeyValuePair<string, Func<JsonRpcNotification, CancellationToken, ValueTask>>(
            method,
            static (notification, _) =>
            {
                if (notification.Context?.RelatedTransport?.SessionId is { } sessionId)
                    Complete(sessionId, notification);
                return default;
            })),
    ];

    private static Activity? Current =>
        Activity.Current is { IsAllDataRequested: true } span && span.Source.Name == HighAvailabilityDiagnostics.SdkSourceName ? span : null;
}

using System.Diagnostics;
using System.Text.Json.Nodes;
using McpHa.HighAvailability.Sessions;
using ModelContextProtocol.Protocol;

namespace McpHa.HighAvailability.Diagnostics;

/// <summary>Keeps what a call does in the trace of the request that brought it, also when it is run again by another owner.</summary>
internal static class CallTrace
{
    private const string Meta = "_meta";
    private const string TraceParent = "traceparent";
    private const string TraceState = "tracestate";

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

        // The span of the request itself ends with its replica and may be lost with it; whoever has sent the request lives on.
        kept[TraceParent] = current.HasRemoteParent && current.ParentId is { Length: > 0 } sender ? sender : current.Id;
        if (current.TraceStateString is { Length: > 0 } state)
            kept[TraceState] = state;
        return JsonRpc.Serialize(new JsonRpcRequest { Id = request.Id, Method = request.Method, Params = copy });
    }

    /// <summary>Lets what a server makes of a client's notification be part of the request that brought it, unless its client has put another trace there.</summary>
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

    /// <summary>Puts the session's own id on the SDK's span of a call that is being answered: what stands there by itself is different in every owner.</summary>
    public static void Name(string sessionId)
    {
        if (SessionTrace.IsOn && Activity.Current is { IsAllDataRequested: true } span)
            span.SetTag(AttributeNames.SessionId, sessionId);
    }
}

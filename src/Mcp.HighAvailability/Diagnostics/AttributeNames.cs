namespace Mcp.HighAvailability.Diagnostics;

/// <summary>
/// Names of the attributes on spans, metrics and log records. OpenTelemetry's semantic conventions where they have
/// one, otherwise the prefix <c>mcp.ha</c>.
/// </summary>
internal static class AttributeNames
{
    public const string SessionId = "mcp.session.id";
    public const string Replica = "mcp.ha.replica.id";
    public const string ReplicaState = "mcp.ha.replica.state";
    public const string Epoch = "mcp.ha.epoch";
    public const string From = "mcp.ha.from";
    public const string To = "mcp.ha.to";
    public const string Reason = "mcp.ha.reason";
    public const string Stream = "mcp.ha.stream";
    public const string EventsReplayed = "mcp.ha.events.replayed";
    public const string CallsRerun = "mcp.ha.calls.rerun";
    public const string CallsRefused = "mcp.ha.calls.refused";
    public const string ProtocolVersion = "mcp.protocol.version";
    public const string Duration = "mcp.ha.takeover.duration";
    public const string RequestId = "jsonrpc.request.id";
    public const string Tool = "gen_ai.tool.name";
    public const string Prompt = "gen_ai.prompt.name";
    public const string McpMethod = "mcp.method.name";
    public const string FailedOver = "mcp.ha.failed_over";
    public const string ErrorType = "error.type";
    public const string Method = "http.request.method";
    public const string ResendCount = "http.request.resend_count";
    public const string StatusCode = "http.response.status_code";
    public const string ServerAddress = "server.address";
    public const string ServerPort = "server.port";
    public const string Url = "url.full";
}

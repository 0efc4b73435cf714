namespace Mcp.HighAvailability.Protocol;

/// <summary>Headers of MCP's Streamable HTTP transport, and its revisions.</summary>
internal static class McpHeaders
{
    public const string SessionId = "Mcp-Session-Id";
    public const string ProtocolVersion = "MCP-Protocol-Version";
    public const string LastEventId = "Last-Event-ID";

    /// <summary>The revision without sessions.</summary>
    public const string Stateless = "2026-07-28";

    /// <summary>The first revision whose streams begin with an event that carries only an id.</summary>
    public const string FirstWithPriming = "2025-11-25";

    /// <summary>Revisions that begin with <c>initialize</c>.</summary>
    public static readonly IReadOnlyList<string> WithSessions = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"];

    public static bool IsKnown(string version) => version == Stateless || WithSessions.Contains(version);

    public static bool HasPriming(string version) => string.CompareOrdinal(version, FirstWithPriming) >= 0;
}

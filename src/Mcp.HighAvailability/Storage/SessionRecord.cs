namespace Mcp.HighAvailability.Storage;

/// <summary>Record of a session: its owner, and the data that a new owner needs to restore it.</summary>
/// <remarks>
/// The record is small and lives as long as the session. Everything that grows (journal, open calls, state) is kept beside
/// it by the same <see cref="ISessionStore"/>, so that one commit can change all of them.
/// </remarks>
public sealed record SessionRecord
{
    /// <summary>Session id as the client knows it (<c>Mcp-Session-Id</c>).</summary>
    public required string Id { get; init; }

    /// <summary>Replica id of the owner; empty between a hand-over and the next take-over.</summary>
    public required string Owner { get; init; }

    /// <summary>Fencing number: 1 at creation, one larger with every take-over. Writes with any other epoch are refused.</summary>
    public required long Epoch { get; init; }

    /// <summary>Key of the authenticated user that opened the session; empty for anonymous sessions.</summary>
    public string User { get; init; } = "";

    /// <summary>W3C <c>traceparent</c> of the session's trace; empty when telemetry was off at creation.</summary>
    public string TraceParent { get; init; } = "";

    /// <summary>Negotiated protocol revision, e.g. <c>2025-11-25</c>.</summary>
    public required string ProtocolVersion { get; init; }

    /// <summary>When the session was created (UTC).</summary>
    public required DateTimeOffset Created { get; init; }

    /// <summary>Highest journal position in use; positions are per session, start at 1 and never repeat.</summary>
    public long LastPosition { get; init; }

    /// <summary>Number of the last commit that was applied; see <see cref="SessionCommit.Number"/>.</summary>
    public long LastCommit { get; init; }

    /// <summary>The last changes of the owner, written by the store with each take-over. For people who want to know where the session was.</summary>
    public SessionHops Hops { get; init; } = SessionHops.None;

    /// <summary>
    /// What the client has said of itself and wants, by <see cref="HandshakeKeys"/>: a new owner's server hears it again. Parsed: of the client's
    /// messages nothing else is kept. At most <see cref="Limits.LimitOptions.HandshakeBytesPerSession"/> bytes.
    /// </summary>
    public IReadOnlyDictionary<string, ReadOnlyMemory<byte>> Handshake { get; init; } = new Dictionary<string, ReadOnlyMemory<byte>>();
}

/// <summary>Keys of <see cref="SessionRecord.Handshake"/>.</summary>
public static class HandshakeKeys
{
    /// <summary>Parts of the client's <c>initialize</c>: <c>protocolVersion</c>, <c>capabilities</c> and <c>clientInfo</c>, a JSON object.</summary>
    public const string Initialize = "initialize";

    /// <summary>The client has sent <c>notifications/initialized</c>. No value.</summary>
    public const string Initialized = "initialized";

    /// <summary>The log level that the client has set, as in <c>logging/setLevel</c>.</summary>
    public const string LogLevel = "level";

    /// <summary>Marks a session that sends everything on one stream. No message of the client: it is there before <see cref="Initialize"/>.</summary>
    public const string OneStream = "sse";

    /// <summary>
    /// The request that opened the session: path, route values and protected claims, a JSON object. Only in servers with hooks for sessions
    /// (<c>ConfigureSessionOptions</c>, <c>RunSessionHandler</c>). No message of the client.
    /// </summary>
    public const string Opening = "opening";

    /// <summary>
    /// How far the session has come in the broadcast log, as far as was written: a position, and where streams began if there were several. No message of the
    /// client.
    /// </summary>
    public const string Broadcast = "broadcast";

    /// <summary>Prefix of one entry per subscribed resource; the URI follows. No value.</summary>
    public const string Subscription = "sub:";
}

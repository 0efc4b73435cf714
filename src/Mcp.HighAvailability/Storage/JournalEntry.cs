namespace Mcp.HighAvailability.Storage;

/// <summary>One message that was (or is about to be) sent to the client.</summary>
/// <remarks>The SSE event id of an entry is <c>{Stream}-{Position}</c>.</remarks>
public sealed record JournalEntry
{
    /// <summary>Position in the session's journal: ascending over all streams, never reused, also not by a later owner.</summary>
    public required long Position { get; init; }

    /// <summary>HTTP stream the message belongs to, characters <c>[a-z0-9]</c>.</summary>
    public required string Stream { get; init; }

    /// <summary>
    /// Position of the entry before this one on the same stream (in a session of HTTP+SSE: on any stream); 0 for the first. A gap at replay means
    /// trimmed history.
    /// </summary>
    public long Previous { get; init; }

    /// <summary>On the entry that answers a client request: the request's duplicate key; otherwise empty.</summary>
    public string Answers { get; init; } = "";

    /// <summary>The JSON-RPC message, UTF-8.</summary>
    public required ReadOnlyMemory<byte> Payload { get; init; }

    /// <summary>When it was journaled (UTC, millisecond resolution).</summary>
    public required DateTimeOffset Time { get; init; }
}

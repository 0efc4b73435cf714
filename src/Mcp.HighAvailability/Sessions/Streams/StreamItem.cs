using Mcp.HighAvailability.Storage;

namespace Mcp.HighAvailability.Sessions;

/// <summary>Next item for a reader of a stream.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Entry">The message, on <see cref="StreamItemKind.Event"/>.</param>
/// <param name="Retry">When the client is to come back, on <see cref="StreamItemKind.Poll"/>.</param>
internal readonly record struct StreamItem(StreamItemKind Kind, JournalEntry? Entry = null, TimeSpan Retry = default);

internal enum StreamItemKind
{
    /// <summary>A message to send.</summary>
    Event,

    /// <summary>The call is recorded: from now on the stream can be resumed.</summary>
    Primed,

    /// <summary>The broadcast log has grown, or what the stream may have of it.</summary>
    Broadcasts,

    /// <summary>The stream was quiet for a while.</summary>
    KeepAlive,

    /// <summary>Too much had piled up and was dropped here: read on from the journal.</summary>
    CatchUp,

    /// <summary>The response is to end here, and the client to come back for the rest.</summary>
    Poll,

    /// <summary>The answer has waited for the store too long.</summary>
    Overdue,

    /// <summary>The stream has ended.</summary>
    Completed,

    /// <summary>This replica no longer owns the session: not one byte more.</summary>
    Moved,
}

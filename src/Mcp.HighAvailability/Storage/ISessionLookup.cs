namespace Mcp.HighAvailability.Storage;

/// <summary>Looks up what may be shown of a session to a person who knows its id: its owner and its former owners.</summary>
/// <remarks>Reads nothing else: no user, no message, no state. When the backend is away it throws <see cref="StoreUnavailableException"/>.</remarks>
public interface ISessionLookup
{
    /// <summary>Looks a session up; <see langword="null"/> when it is unknown or expired.</summary>
    ValueTask<SessionTrail?> FindAsync(string sessionId, CancellationToken cancellationToken = default);
}

/// <summary>Where a session is, and where it was.</summary>
public sealed record SessionTrail
{
    /// <summary>The session has ended; the store keeps only this and the epoch.</summary>
    public bool Ended { get; init; }

    /// <summary>As <see cref="SessionRecord.Owner"/>.</summary>
    public string Owner { get; init; } = "";

    /// <summary>As <see cref="SessionRecord.Epoch"/>; of an ended session its last one.</summary>
    public long Epoch { get; init; }

    /// <summary>As <see cref="SessionRecord.ProtocolVersion"/>.</summary>
    public string ProtocolVersion { get; init; } = "";

    /// <summary>As <see cref="SessionRecord.TraceParent"/>.</summary>
    public string TraceParent { get; init; } = "";

    /// <summary>As <see cref="SessionRecord.Created"/>.</summary>
    public DateTimeOffset Created { get; init; }

    /// <summary>As <see cref="SessionRecord.Hops"/>.</summary>
    public SessionHops Hops { get; init; } = SessionHops.None;
}

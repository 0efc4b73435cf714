namespace Mcp.HighAvailability.Storage;

/// <summary>The data that a new owner needs, read in the same step that made it the owner.</summary>
/// <param name="Record">The record after the take-over (new owner, new epoch).</param>
/// <param name="Calls">The in-flight table; see <see cref="SessionCommit.Calls"/>.</param>
/// <param name="Journal">The whole retained journal, positions ascending.</param>
public sealed record SessionSnapshot(
    SessionRecord Record,
    IReadOnlyDictionary<string, ReadOnlyMemory<byte>> Calls,
    IReadOnlyList<JournalEntry> Journal)
{
    /// <summary>The whole session state, committed values only. Of a take-over; a write-back is given it apart.</summary>
    public IReadOnlyDictionary<string, ReadOnlyMemory<byte>> State { get; init; } = new Dictionary<string, ReadOnlyMemory<byte>>();

    /// <summary>For a write-back: as <see cref="SessionCommit.Unread"/>.</summary>
    public IReadOnlyList<long> Unread { get; init; } = [];
}

/// <summary>Outcome of an attempt to take a session over.</summary>
public abstract record TakeOver
{
    private TakeOver() { }

    /// <summary>The caller is the owner now.</summary>
    public sealed record Taken(SessionSnapshot Snapshot) : TakeOver;

    /// <summary>Another replica was faster, or the owner has changed since the caller looked.</summary>
    /// <param name="Current">The record as it is now.</param>
    public sealed record Refused(SessionOwner Current) : TakeOver;

    /// <summary>No such session: never created, expired or ended.</summary>
    public sealed record Unknown : TakeOver;
}

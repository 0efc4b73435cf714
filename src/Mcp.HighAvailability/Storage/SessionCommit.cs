namespace Mcp.HighAvailability.Storage;

/// <summary>All writes of a session that must happen together, under the owner's epoch. Applied wholly or not at all.</summary>
/// <remarks>
/// Commits of one owner are numbered 1, 2, 3… and sent one after the other. A commit whose number is not larger than
/// <see cref="SessionRecord.LastCommit"/> was applied before (its answer was lost): the store answers
/// <see cref="CommitResult.Committed"/> and changes nothing, so a commit may be repeated until an answer arrives.
/// A number that leaves one out tells that the store has lost commits (a fail-over to a replica that lagged): the answer is
/// <see cref="CommitResult.Lost"/>. A take-over carries the number on: the new owner goes on from <see cref="SessionRecord.LastCommit"/>.
/// The memory behind a commit may be kept by the store: do not change or reuse it afterwards.
/// </remarks>
public sealed class SessionCommit
{
    /// <summary>Epoch of the writer.</summary>
    public required long Epoch { get; init; }

    /// <summary>The writer, to be fenced when another one owns the session at the same epoch; empty: not looked at.</summary>
    /// <remarks>A store that has lost a take-over (a fail-over to a replica that lagged) may give its epoch a second time.</remarks>
    public string Owner { get; init; } = "";

    /// <summary>Number of this commit, one larger than the writer's previous one.</summary>
    public required long Number { get; init; }

    /// <summary>Highest journal position in use after this commit.</summary>
    public required long LastPosition { get; init; }

    /// <summary>Entries to append to the journal, positions ascending and above every earlier one.</summary>
    public IReadOnlyList<JournalEntry> Append { get; init; } = [];

    /// <summary>Positions to take out of the journal (messages that were moved to another stream).</summary>
    public IReadOnlyList<long> Remove { get; init; } = [];

    /// <summary>
    /// Positions, ascending, of answers and server requests that no client has read yet. The bounds of the journal do not remove them: they
    /// remove the oldest of the other entries.
    /// </summary>
    public IReadOnlyList<long> Unread { get; init; } = [];

    /// <summary>
    /// Changes to the in-flight table, in order: a value sets an entry, <see langword="null"/> removes it. An entry is an open
    /// client request (key: its stream) or a client's answer to a question of it (key: the question's id).
    /// </summary>
    public IReadOnlyList<KeyValuePair<string, ReadOnlyMemory<byte>?>> Calls { get; init; } = [];

    /// <summary>Changes to the session state, in order; <see langword="null"/> removes a key.</summary>
    public IReadOnlyList<KeyValuePair<string, ReadOnlyMemory<byte>?>> State { get; init; } = [];

    /// <summary>Changes to <see cref="SessionRecord.Handshake"/>, in order; <see langword="null"/> removes a key.</summary>
    public IReadOnlyList<KeyValuePair<string, ReadOnlyMemory<byte>?>> Handshake { get; init; } = [];

    /// <summary>
    /// How long the take-over took that began this epoch, to be noted in the last of <see cref="SessionRecord.Hops"/>; <see langword="null"/>:
    /// nothing to note.
    /// </summary>
    public TimeSpan? TakeOverTook { get; init; }

    /// <summary>Start the expiry of everything that belongs to the session anew, and trim the journal by age.</summary>
    public bool Touch { get; init; }
}

/// <summary>Result of a <see cref="SessionCommit"/>.</summary>
public enum CommitResult
{
    /// <summary>Applied (now or, when it was a repetition, before).</summary>
    Committed,

    /// <summary>Refused: a larger epoch is current, or the epoch is another owner's, or the session was ended. The writer must stop at once.</summary>
    Fenced,

    /// <summary>
    /// Refused: the store has lost data. It has no such session and no mark that it was ended, or it holds an epoch smaller than
    /// the writer's, or it misses commits before this one. Write the session back.
    /// </summary>
    Lost,
}

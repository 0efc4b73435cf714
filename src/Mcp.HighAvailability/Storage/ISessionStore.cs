namespace Mcp.HighAvailability.Storage;

/// <summary>
/// Keeps sessions for the cluster: record, ownership, in-flight table, journal entries and state, all of one session under one
/// fence.
/// </summary>
/// <remarks>
/// <para>Atomicity: every method is one atomic step per session. Steps on different sessions are independent.</para>
/// <para>
/// Fencing: <see cref="TakeOverAsync"/> makes the epoch one larger; from then on every commit with an older epoch answers
/// <see cref="CommitResult.Fenced"/> and leaves no trace. An ended session leaves a mark for <c>EndedRetention</c>, so that a
/// paused owner that comes back is fenced and does not write the session back.
/// </para>
/// <para>
/// When the backend is away: methods throw <see cref="StoreUnavailableException"/>; whether the step was applied is then not
/// known. Every method may be repeated safely.
/// </para>
/// </remarks>
public interface ISessionStore
{
    /// <summary>Creates a session with its first owner and epoch 1.</summary>
    /// <returns><see langword="false"/> when the id is in use (by any owner, or ended a moment ago) and it is not this very record.</returns>
    ValueTask<bool> CreateAsync(SessionRecord record, CancellationToken cancellationToken = default);

    /// <summary>Reads who owns a session, and nothing that grows with it; <see langword="null"/> when it is unknown, expired or ended.</summary>
    ValueTask<SessionOwner?> FindAsync(string sessionId, CancellationToken cancellationToken = default);

    /// <summary>
    /// Takes a session over if its epoch still is <paramref name="expectedEpoch"/>: sets the owner, makes the epoch one larger, notes it in
    /// <see cref="SessionRecord.Hops"/>, and reads everything the new owner needs, in one step: what the store loses afterwards the owner has.
    /// </summary>
    /// <remarks>Repeating a take-over that was applied (owner already is <paramref name="newOwner"/> at <paramref name="expectedEpoch"/> + 1) answers
    /// <see cref="TakeOver.Taken"/> again.</remarks>
    ValueTask<TakeOver> TakeOverAsync(string sessionId, long expectedEpoch, string newOwner, CancellationToken cancellationToken = default);

    /// <summary>Applies a commit under the fence.</summary>
    /// <exception cref="ArgumentException">Positions of the appended entries do not ascend, or were used before; nothing is applied.</exception>
    ValueTask<CommitResult> CommitAsync(string sessionId, SessionCommit commit, CancellationToken cancellationToken = default);

    /// <summary>Reads the whole session state (committed values only).</summary>
    ValueTask<IReadOnlyDictionary<string, ReadOnlyMemory<byte>>> ReadStateAsync(string sessionId, CancellationToken cancellationToken = default);

    /// <summary>Hands a session over: clears the owner if <paramref name="epoch"/> is current. Any replica may take it over afterwards.</summary>
    /// <remarks>The epoch stays as it is until then: the caller has stopped committing before it calls this.</remarks>
    ValueTask<CommitResult> ReleaseAsync(string sessionId, long epoch, CancellationToken cancellationToken = default);

    /// <summary>
    /// Ends a session if <paramref name="epoch"/> is current: removes all of it and leaves the mark. Ending it again at that epoch answers
    /// <see cref="CommitResult.Committed"/>.
    /// </summary>
    ValueTask<CommitResult> EndAsync(string sessionId, long epoch, CancellationToken cancellationToken = default);

    /// <summary>
    /// Writes a whole session back after the backend lost its data, unless the store holds it already: with a larger or equal epoch
    /// of another owner, or marked as ended, the answer is <see cref="CommitResult.Fenced"/>. Of the journal the store gets what lies
    /// behind the entries that it still has; those stay, but for waiting ones that the snapshot does not hold: they were moved.
    /// </summary>
    /// <remarks>What the store holds of this owner and epoch is replaced if it misses commits, and left alone otherwise.</remarks>
    ValueTask<CommitResult> WriteBackAsync(
        SessionSnapshot snapshot,
        IReadOnlyDictionary<string, ReadOnlyMemory<byte>> state,
        CancellationToken cancellationToken = default);
}

/// <summary>The backend cannot be reached, or did not answer in time. The step may or may not have been applied.</summary>
public sealed class StoreUnavailableException(string message, Exception? innerException = null) : Exception(message, innerException);

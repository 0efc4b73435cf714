using Mcp.HighAvailability.Storage;

namespace Mcp.HighAvailability.Http;

/// <summary>A store in memory that answers later, as one across a network does: callers that wait are compiled apart from those that need not.</summary>
internal sealed class DeferredStore(ISessionStore inner) : ISessionStore
{
    public ValueTask<bool> CreateAsync(SessionRecord record, CancellationToken cancellationToken = default) =>
        LaterAsync(() => inner.CreateAsync(record, cancellationToken));

    public ValueTask<SessionOwner?> FindAsync(string sessionId, CancellationToken cancellationToken = default) =>
        LaterAsync(() => inner.FindAsync(sessionId, cancellationToken));

    public ValueTask<TakeOver> TakeOverAsync(string sessionId, long expectedEpoch, string newOwner, CancellationToken cancellationToken = default) =>
        LaterAsync(() => inner.TakeOverAsync(sessionId, expectedEpoch, newOwner, cancellationToken));

    public ValueTask<CommitResult> CommitAsync(string sessionId, SessionCommit commit, CancellationToken cancellationToken = default) =>
        LaterAsync(() => inner.CommitAsync(sessionId, commit, cancellationToken));

    public ValueTask<IReadOnlyDictionary<string, ReadOnlyMemory<byte>>> ReadStateAsync(string sessionId, CancellationToken cancellationToken = default) =>
        LaterAsync(() => inner.ReadStateAsync(sessionId, cancellationToken));

    public ValueTask<CommitResult> ReleaseAsync(string sessionId, long epoch, CancellationToken cancellationToken = default) =>
        LaterAsync(() => inner.ReleaseAsync(sessionId, epoch, cancellationToken));

    public ValueTask<CommitResult> EndAsync(string sessionId, long epoch, CancellationToken cancellationToken = default) =>
        LaterAsync(() => inner.EndAsync(sessionId, epoch, cancellationToken));

    public ValueTask<CommitResult> WriteBackAsync(SessionSnapshot snapshot, IReadOnlyDictionary<string, ReadOnlyMemory<byte>> state,
        CancellationToken cancellationToken = default) => LaterAsync(() => inner.WriteBackAsync(snapshot, state, cancellationToken));

    /// <summary>Does something in memory, and has the caller wait.</summary>
    public static async ValueTask<T> LaterAsync<T>(Func<ValueTask<T>> step)
    {
        await Task.Yield();
        return await step().ConfigureAwait(false);
    }
}

/// <summary>A registry in memory that answers later, as if its store could lose something.</summary>
internal sealed class DeferredRegistry(IReplicaRegistry inner) : IReplicaRegistry
{
    /// <summary>The store's incarnation, which lasts.</summary>
    public const string Incarnation = "lasting";

    public async ValueTask<RegistryReading> BeatAsync(ReplicaInfo? self, CancellationToken cancellationToken = default)
    {
        var reading = await DeferredStore.LaterAsync(() => inner.BeatAsync(self, cancellationToken)).ConfigureAwait(false);
        return new(reading) { Incarnation = Incarnation, IncarnationAge = TimeSpan.FromDays(1) };
    }

    public ValueTask LeaveAsync(string replicaId, CancellationToken cancellationToken = default) => inner.LeaveAsync(replicaId, cancellationToken);
}

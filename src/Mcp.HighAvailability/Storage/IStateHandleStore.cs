namespace Mcp.HighAvailability.Storage;

/// <summary>Keeps state that is reached by an explicit handle rather than through a session.</summary>
/// <remarks>Each method is one atomic step per handle. When the backend is away: <see cref="StoreUnavailableException"/>; every method may be
/// repeated.</remarks>
public interface IStateHandleStore
{
    /// <summary>Creates empty state under a new handle, bound to a user (empty: any user). Does nothing when the handle exists.</summary>
    ValueTask CreateAsync(string handle, string user, CancellationToken cancellationToken = default);

    /// <summary>Reads a handle's state; <see langword="null"/> when it is unknown or expired. Reading starts its expiry anew.</summary>
    ValueTask<StateHandleSnapshot?> ReadAsync(string handle, CancellationToken cancellationToken = default);

    /// <summary>
    /// Applies writes if the version is still <paramref name="expectedVersion"/>, and remembers <paramref name="call"/> with its
    /// <paramref name="response"/>, so that the same call can never be applied twice.
    /// </summary>
    /// <param name="handle">The handle.</param>
    /// <param name="expectedVersion">Version that the caller has read.</param>
    /// <param name="writes">In order; <see langword="null"/> removes a key.</param>
    /// <param name="call">Key of the call, unique over the cluster.</param>
    /// <param name="response">What the call answers, kept to be answered again.</param>
    /// <param name="cancellationToken">Gives up waiting.</param>
    ValueTask<StateHandleCommit> CommitAsync(
        string handle,
        long expectedVersion,
        IReadOnlyList<KeyValuePair<string, ReadOnlyMemory<byte>?>> writes,
        string call,
        ReadOnlyMemory<byte> response,
        CancellationToken cancellationToken = default);
}

/// <summary>State of a handle at a version.</summary>
/// <param name="User">User that it is bound to; empty: any user.</param>
/// <param name="Version">One larger with every commit.</param>
/// <param name="Values">Values by key, JSON.</param>
public sealed record StateHandleSnapshot(string User, long Version, IReadOnlyDictionary<string, ReadOnlyMemory<byte>> Values);

/// <summary>Outcome of a commit to a state handle.</summary>
public abstract record StateHandleCommit
{
    private StateHandleCommit() { }

    /// <summary>The writes are in.</summary>
    public sealed record Committed : StateHandleCommit;

    /// <summary>Another call committed in between; nothing was written.</summary>
    public sealed record Conflict : StateHandleCommit;

    /// <summary>This very call was applied before; nothing was written now.</summary>
    /// <param name="Response">What it answered then.</param>
    public sealed record AlreadyApplied(ReadOnlyMemory<byte> Response) : StateHandleCommit;

    /// <summary>The handle is unknown or has expired.</summary>
    public sealed record Unknown : StateHandleCommit;
}

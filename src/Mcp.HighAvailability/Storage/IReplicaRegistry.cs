namespace Mcp.HighAvailability.Storage;

/// <summary>Where replicas register themselves; the backend behind <c>ReplicaDirectory</c>.</summary>
/// <remarks>
/// Ages come from the backend's own clock, so clocks of replicas need not agree. When the backend is away methods throw
/// <see cref="Storage.StoreUnavailableException"/>. Entries that were silent for a minute are removed.
/// </remarks>
public interface IReplicaRegistry
{
    /// <summary>Writes the caller's heartbeat (none when <paramref name="self"/> is <see langword="null"/>) and reads all replicas, in one step.</summary>
    ValueTask<RegistryReading> BeatAsync(ReplicaInfo? self, CancellationToken cancellationToken = default);

    /// <summary>Removes a replica that leaves in good order. Unknown ids are ignored.</summary>
    ValueTask LeaveAsync(string replicaId, CancellationToken cancellationToken = default);
}

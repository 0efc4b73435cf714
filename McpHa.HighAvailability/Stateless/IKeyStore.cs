namespace McpHa.HighAvailability.Stateless;

/// <summary>Secret keys that the replicas of a cluster share.</summary>
/// <remarks>Keys are never changed or removed. Whoever can read them can forge what they protect: guard the backend accordingly.</remarks>
public interface IKeyStore
{
    /// <summary>Adds those of the given keys that are missing (the backend may have lost them), and returns all keys by id.</summary>
    /// <exception cref="Sessions.StoreUnavailableException">The backend cannot be reached.</exception>
    ValueTask<IReadOnlyDictionary<string, ReadOnlyMemory<byte>>> ShareAsync(
        IReadOnlyDictionary<string, ReadOnlyMemory<byte>> own, CancellationToken cancellationToken = default);
}

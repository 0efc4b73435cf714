using System.Collections.Concurrent;

namespace McpHa.HighAvailability.Stateless;

/// <summary>Keys of the one process that there is.</summary>
internal sealed class InMemoryKeyStore : IKeyStore
{
    private readonly ConcurrentDictionary<string, ReadOnlyMemory<byte>> _keys = new(StringComparer.Ordinal);

    public ValueTask<IReadOnlyDictionary<string, ReadOnlyMemory<byte>>> ShareAsync(
        IReadOnlyDictionary<string, ReadOnlyMemory<byte>> own, CancellationToken cancellationToken = default)
    {
        foreach (var (id, key) in own)
            _keys.TryAdd(id, key);
        return new(new Dictionary<string, ReadOnlyMemory<byte>>(_keys));
    }
}

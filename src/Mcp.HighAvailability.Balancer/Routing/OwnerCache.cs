using System.Collections.Concurrent;

namespace Mcp.HighAvailability.Balancer.Routing;

/// <summary>Which replica owns a session, as replicas said last. Bounded: what was not used for long goes first.</summary>
/// <remarks>Two generations: what is used moves to the young one; when that is full it becomes the old one, and the old one goes.</remarks>
internal sealed class OwnerCache(int capacity)
{
    private readonly Lock _turning = new();
    private volatile ConcurrentDictionary<string, string> _young = new(StringComparer.Ordinal);
    private volatile ConcurrentDictionary<string, string> _old = new(StringComparer.Ordinal);
    private int _youngCount;

    public string? Find(string sessionId)
    {
        if (_young.TryGetValue(sessionId, out var owner))
            return owner;

        if (!_old.TryGetValue(sessionId, out owner))
            return null;

        Set(sessionId, owner);
        return owner;
    }

    public void Set(string sessionId, string owner)
    {
        if (_young.TryGetValue(sessionId, out var known))
        {
            if (known != owner)
                _young[sessionId] = owner;
            return;
        }

        if (!_young.TryAdd(sessionId, owner) || Interlocked.Increment(ref _youngCount) < Math.Max(1, capacity / 2))
            return;

        lock (_turning)
        {
            if (Volatile.Read(ref _youngCount) < Math.Max(1, capacity / 2))
                return;

            _old = _young;
            _young = new(StringComparer.Ordinal);
            Volatile.Write(ref _youngCount, 0);
        }
    }

    public void Remove(string sessionId)
    {
        _old.TryRemove(sessionId, out _);
        if (_young.TryRemove(sessionId, out _))
            Interlocked.Decrement(ref _youngCount);
    }
}

using System.Collections.Concurrent;

namespace Mcp.HighAvailability.Relay;

/// <summary>Where this process last sent the requests of a session, for its trace alone. Bounded; what was forgotten is said once more.</summary>
internal sealed class SessionRoutes
{
    private const int MaxCount = 10_000;

    private readonly ConcurrentDictionary<string, string> _routes = new(StringComparer.Ordinal);

    /// <summary>Whether a session's requests now go to another replica than before.</summary>
    /// <param name="sessionId">The session.</param>
    /// <param name="replica">Where they go now.</param>
    /// <param name="before">Where they went; empty when that is not known.</param>
    public bool Changes(string sessionId, string replica, out string before)
    {
        if (_routes.TryGetValue(sessionId, out var known) && known == replica)
        {
            before = replica;
            return false;
        }

        if (_routes.Count >= MaxCount)
            _routes.Clear();
        before = known ?? "";
        _routes[sessionId] = replica;
        return true;
    }
}

using Mcp.HighAvailability.Storage;

namespace Mcp.HighAvailability.Affinity;

/// <summary>Highest random weight hashing: all processes that see the same replicas choose the same one for a key, without messages.</summary>
/// <remarks>When a replica goes, only the keys that were its own move; when one comes, it takes an even share from all.</remarks>
public static class Rendezvous
{
    /// <summary>The replica for a key; <see langword="null"/> when there are none. The order of the candidates does not matter.</summary>
    public static ReplicaInfo? Choose(string key, IReadOnlyList<ReplicaInfo> candidates)
    {
        ArgumentNullException.ThrowIfNull(key);
        ArgumentNullException.ThrowIfNull(candidates);

        ReplicaInfo? best = null;
        var highest = 0UL;
        for (var i = 0; i < candidates.Count; i++)
        {
            var weight = StableHash.Of(key, candidates[i].Id);
            if (best is not null && (weight < highest || (weight == highest && string.CompareOrdinal(candidates[i].Id, best.Id) >= 0)))
                continue;

            (best, highest) = (candidates[i], weight);
        }

        return best;
    }
}

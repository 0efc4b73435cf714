using System.Runtime.CompilerServices;
using Mcp.HighAvailability.Storage;

namespace Mcp.HighAvailability.Affinity;

/// <summary>Spreads new work: of two replicas picked at random the less loaded one gets it. Thread-safe.</summary>
/// <remarks>
/// Load is what the replica reported in its last heartbeat plus what this process gave it since; without the second part all
/// work of a second would go to the replica that reported the smallest number.
/// </remarks>
public sealed class PowerOfTwoChoices
{
    // A call keeps a replica busy now, an idle session hardly ever.
    private const long CallWeight = 16;

    // Keyed by the report itself: the next heartbeat brings a new one, and the count starts anew.
    private readonly ConditionalWeakTable<ReplicaInfo, StrongBox<int>> _assigned = [];

    /// <summary>Chooses a replica and counts the work as given to it; <see langword="null"/> when there are no candidates.</summary>
    public ReplicaInfo? Choose(IReadOnlyList<ReplicaInfo> candidates, Random random)
    {
        ArgumentNullException.ThrowIfNull(candidates);
        ArgumentNullException.ThrowIfNull(random);

        if (candidates.Count == 0)
            return null;

        var first = random.Next(candidates.Count);
        var chosen = candidates[first];
        if (candidates.Count > 1)
        {
            var other = candidates[(first + 1 + random.Next(candidates.Count - 1)) % candidates.Count];
            if (LoadOf(other) < LoadOf(chosen))
                chosen = other;
        }

        Interlocked.Increment(ref _assigned.GetValue(chosen, static _ => new StrongBox<int>()).Value);
        return chosen;
    }

    private long LoadOf(ReplicaInfo replica) =>
        (replica.Calls * CallWeight) + replica.Sessions + (_assigned.TryGetValue(replica, out var count) ? Volatile.Read(ref count.Value) : 0);
}

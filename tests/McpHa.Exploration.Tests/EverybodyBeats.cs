using Mcp.HighAvailability.Storage;

namespace McpHa.Tests;

/// <summary>A registry in which all replicas beat all the time; the explorer decides which one is suspected.</summary>
/// <remarks>
/// After the store has lost everything it knows a replica again when that replica has beaten. The clock of an incarnation stands still: that replicas are not
/// waited for any longer after a while is a matter of time, which is not explored.
/// </remarks>
internal sealed class EverybodyBeats(IReadOnlyList<ReplicaInfo> replicas) : IReplicaRegistry
{
    // All replicas have been there for long.
    private static readonly TimeSpan First = TimeSpan.FromDays(1);

    private readonly Dictionary<string, ReplicaInfo> _listed = replicas.ToDictionary(r => r.Id);
    private int _incarnations = 1;

    public HashSet<string> Silent { get; } = [];

    public string Incarnation => $"{_incarnations}";

    public ValueTask<RegistryReading> BeatAsync(ReplicaInfo? self, CancellationToken cancellationToken = default)
    {
        lock (_listed)
        {
            if (self is not null && !Silent.Contains(self.Id))
                _listed[self.Id] = replicas.Single(r => r.Id == self.Id) with { WrittenBack = self.WrittenBack };
            var beating = replicas.Where(r => !Silent.Contains(r.Id) && _listed.ContainsKey(r.Id));
            return new(new RegistryReading([.. beating.Select(r => new RegisteredReplica(_listed[r.Id], TimeSpan.Zero))])
            {
                Incarnation = Incarnation,
                IncarnationAge = _incarnations == 1 ? First : TimeSpan.Zero,
            });
        }
    }

    public ValueTask LeaveAsync(string replicaId, CancellationToken cancellationToken = default) => ValueTask.CompletedTask;

    /// <summary>The store has lost everything.</summary>
    public void Lose()
    {
        lock (_listed)
        {
            _listed.Clear();
            _incarnations++;
        }
    }

    /// <summary>Whether a replica's next heartbeat is news to it or to the others.</summary>
    public bool Awaits(ExploredReplica replica)
    {
        lock (_listed)
        {
            return replica.Directory.Store.Id != Incarnation || _listed.GetValueOrDefault(replica.Id)?.WrittenBack != replica.Self.WrittenBack ||
                replica.Directory.Alive.Any(known => _listed.TryGetValue(known.Id, out var listed) && known.WrittenBack != listed.WrittenBack);
        }
    }

    /// <summary>What each replica knows of the incarnation.</summary>
    public string Describe(IEnumerable<ExploredReplica> living) => $"Incarnation {Incarnation}: " + string.Join("; ", living.Select(r =>
        $"{r.Id} knows {r.Directory.Store.Id}, has written back in {r.Self.WrittenBack}, has all written back: {r.Directory.WrittenBack.ByAll}, "
        + $"sees {string.Join(", ", r.Directory.Alive.Select(a => $"{a.Id} ({a.WrittenBack})"))}")) + ".";
}

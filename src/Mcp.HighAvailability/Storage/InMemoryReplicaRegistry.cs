namespace Mcp.HighAvailability.Storage;

/// <summary>Replicas hosted in this process.</summary>
internal sealed class InMemoryReplicaRegistry(TimeProvider time) : IReplicaRegistry
{
    private readonly Dictionary<string, (ReplicaInfo Replica, long Beat)> _replicas = new(StringComparer.Ordinal);

    public ValueTask<RegistryReading> BeatAsync(ReplicaInfo? self, CancellationToken cancellationToken = default)
    {
        lock (_replicas)
        {
            var now = time.GetTimestamp();
            if (self is not null)
                _replicas[self.Id] = (self, now);

            var alive = new List<RegisteredReplica>(_replicas.Count);
            foreach (var (id, (replica, beat)) in _replicas)
            {
                var age = time.GetElapsedTime(beat, now);
                if (age > ReplicaSilence.RemovedAfter)
                    _replicas.Remove(id);
                else
                    alive.Add(new(replica, age));
            }

            return new(new RegistryReading(alive));
        }
    }

    public ValueTask LeaveAsync(string replicaId, CancellationToken cancellationToken = default)
    {
        lock (_replicas)
            _replicas.Remove(replicaId);
        return ValueTask.CompletedTask;
    }
}

using System.Collections.Concurrent;
using Mcp.HighAvailability.Cluster;
using Mcp.HighAvailability.Storage;

namespace Mcp.HighAvailability.Balancer.Status;

/// <summary>Knows when each replica joined, and so which lost replicas have been replaced. Thread-safe.</summary>
internal sealed class ReplicaRoster(ReplicaDirectory directory, TimeProvider time)
{
    // Heartbeats are read with a delay.
    private static readonly TimeSpan Slack = TimeSpan.FromSeconds(1);

    private readonly DateTimeOffset _started = time.GetUtcNow();
    private readonly ConcurrentDictionary<string, DateTimeOffset> _joined = new(StringComparer.Ordinal);

    /// <summary>When a replica joined. A replica that was there before this balancer joined when it started.</summary>
    public DateTimeOffset JoinedAt(ReplicaInfo replica) =>
        _joined.GetOrAdd(replica.Id, replica.Started < _started ? replica.Started : time.GetUtcNow());

    /// <summary>Forgets the replicas that the directory has forgotten.</summary>
    public void Trim()
    {
        var known = directory.Known().Select(entry => entry.Replica.Id).ToHashSet(StringComparer.Ordinal);
        foreach (var id in _joined.Keys.Where(id => !known.Contains(id)))
            _joined.TryRemove(id, out _);
    }

    /// <summary>Lost replicas for which no other one has joined since their last heartbeat.</summary>
    public int Unreplaced(IReadOnlyList<RegisteredReplica> known)
    {
        var now = time.GetUtcNow();
        var joined = new Queue<DateTimeOffset>(known.Where(entry => IsAlive(entry.Replica)).Select(entry => JoinedAt(entry.Replica)).Order());
        var unreplaced = 0;
        foreach (var lastHeard in known.Where(entry => !IsAlive(entry.Replica)).Select(entry => now - entry.Age - Slack).Order())
        {
            while (joined.TryPeek(out var at) && at <= lastHeard)
                joined.Dequeue();
            if (!joined.TryDequeue(out _))
                unreplaced++;
        }

        return unreplaced;
    }

    private bool IsAlive(ReplicaInfo replica) => directory.Find(replica.Id) is not null;
}

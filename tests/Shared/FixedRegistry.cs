using System.Collections.Concurrent;
using Mcp.HighAvailability.Storage;

namespace McpHa.Tests;

/// <summary>A registry whose replicas beat, fall silent and go as the test says.</summary>
internal sealed class FixedRegistry : IReplicaRegistry
{
    private readonly ConcurrentDictionary<string, RegisteredReplica> _replicas = new();

    public bool IsAway { get; set; }

    public ConcurrentQueue<ReplicaInfo> Beats { get; } = new();

    public ConcurrentQueue<string> Left { get; } = new();

    public static ReplicaInfo Info(string id, Uri? address = null, bool draining = false, int sessions = 0, int calls = 0) =>
        new(id, address ?? new Uri("http://127.0.0.1:1"), draining, sessions, calls, DateTimeOffset.UnixEpoch, "1.0", 4711);

    public void Set(ReplicaInfo replica, TimeSpan age = default) => _replicas[replica.Id] = new RegisteredReplica(replica, age);

    public void Remove(string id) => _replicas.TryRemove(id, out _);

    public ValueTask<RegistryReading> BeatAsync(ReplicaInfo? self, CancellationToken cancellationToken = default)
    {
        if (IsAway)
            throw new StoreUnavailableException("away");

        if (self is not null)
        {
            Beats.Enqueue(self);
            Set(self);
        }

        return new(new RegistryReading([.. _replicas.Values]));
    }

    public ValueTask LeaveAsync(string replicaId, CancellationToken cancellationToken = default)
    {
        Left.Enqueue(replicaId);
        Remove(replicaId);
        return default;
    }
}

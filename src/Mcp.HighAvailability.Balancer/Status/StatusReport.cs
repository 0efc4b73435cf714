using Mcp.HighAvailability.Balancer.Routing;
using Mcp.HighAvailability.Cluster;
using Mcp.HighAvailability.Storage;

namespace Mcp.HighAvailability.Balancer.Status;

/// <summary>Takes the status of the cluster as this balancer sees it.</summary>
internal sealed class StatusReport(
    ReplicaDirectory directory, BalancerEndpoint balancer, RoutingState state, FailoverLog failovers, Timeline timeline, ReplicaRoster roster,
    ClusterHistory history, StoreReader store, TimeProvider time, IConfiguration? configuration = null)
{
    private readonly BalancerStatus _self = new(InstanceName.Of(configuration), Environment.ProcessId, time.GetUtcNow());

    /// <summary>Takes it with fresh figures of the store, if the store answers.</summary>
    public async Task<Status> TakeAsync()
    {
        await store.ReadAsync();
        return Take();
    }

    /// <summary>Takes it with the figures of the store that were read last.</summary>
    public Status Take()
    {
        history.Sample();
        var known = directory.Known();
        var replicas = known.Select(entry => ToStatus(entry.Replica, entry.Age)).ToList();
        var calls = balancer.Calls.Take();
        var figures = store.Last;
        return new Status(
            time.GetUtcNow(),
            _self,
            TotalsOf(replicas, roster.CountUnreplaced(), figures),
            new TrafficStatus(calls.PerSecond, calls.Count, Milliseconds(calls.P50), Milliseconds(calls.P99)),
            history.Errors(),
            new RedisStatus(!directory.RegistryAway, directory.AwaySince, Milliseconds(directory.ReadTook), figures?.MemoryUsed, figures?.MemoryLimit),
            replicas,
            history.Minutes(),
            timeline.Recent());
    }

    // Records and heartbeats are read at different times: a session that is just opened may be in one of them only.
    private StatusTotals TotalsOf(List<ReplicaStatus> replicas, int unreplaced, StoreFigures? figures)
    {
        long owned = replicas.Sum(replica => replica.Sessions);
        var sessions = Math.Max(figures?.Sessions ?? owned, owned);
        return new(
            replicas.Count,
            replicas.Count(replica => !replica.IsLost),
            replicas.Count(replica => replica.State == ReplicaStates.Alive),
            unreplaced,
            sessions,
            sessions - owned,
            replicas.Sum(replica => replica.Calls),
            balancer.Relayed,
            state.Held.Bytes,
            state.Held.Count,
            failovers.Total);
    }

    // The last heartbeat of a lost replica tells nothing of its sessions: others have taken them over since.
    private ReplicaStatus ToStatus(ReplicaInfo replica, TimeSpan age)
    {
        var isAlive = directory.Find(replica.Id) is not null;
        return new(
            replica.Id,
            replica.Instance,
            replica.Address.ToString(),
            replica.ProcessId,
            ReplicaStates.Of(replica, isAlive),
            replica.Stays,
            isAlive ? replica.Sessions : 0,
            isAlive ? replica.Calls : 0,
            replica.Started,
            replica.Version,
            (long)age.TotalMilliseconds);
    }

    private static double Milliseconds(TimeSpan time) => Math.Round(time.TotalMilliseconds, 2);
}

using McpHa.Balancer.Routing;
using McpHa.HighAvailability.Cluster;

namespace McpHa.Balancer.Status;

/// <summary>What the live page shows.</summary>
internal sealed record Status(
    DateTimeOffset Time, int ProcessId, StatusTotals Totals, IReadOnlyList<ReplicaStatus> Replicas, IReadOnlyList<FailoverStatus> Failovers);

internal sealed record StatusTotals(int Replicas, int Alive, int Sessions, int Calls, long Relayed, long HeldBytes, long Failovers);

internal sealed record ReplicaStatus(
    string Id, string Address, int ProcessId, string State, int Sessions, int Calls, DateTimeOffset Started, string Version, long HeartbeatAgeMs);

internal sealed record FailoverStatus(DateTimeOffset Time, string Lost, string Next, long HeldMs);

/// <summary>Takes the status of the cluster as this balancer sees it.</summary>
internal sealed class StatusReport(ReplicaDirectory directory, BalancerEndpoint balancer, RoutingState state, FailoverLog failovers, TimeProvider time)
{
    public Status Take()
    {
        var replicas = directory.Known().Select(known => ToStatus(known.Replica, known.Age)).ToList();
        var alive = replicas.Where(replica => replica.State != ReplicaStates.Lost).ToList();
        return new Status(
            time.GetUtcNow(),
            Environment.ProcessId,
            new StatusTotals(
                replicas.Count,
                alive.Count,
                alive.Sum(replica => replica.Sessions),
                alive.Sum(replica => replica.Calls),
                balancer.Relayed,
                state.Held.Bytes,
                failovers.Total),
            replicas,
            [.. failovers.Recent().Select(failover => new FailoverStatus(failover.Time, failover.Lost, failover.Next, (long)failover.Held.TotalMilliseconds))]);
    }

    private ReplicaStatus ToStatus(ReplicaInfo replica, TimeSpan age) => new(
        replica.Id,
        replica.Address.ToString(),
        replica.ProcessId,
        ReplicaStates.Of(replica, isAlive: directory.Find(replica.Id) is not null),
        replica.Sessions,
        replica.Calls,
        replica.Started,
        replica.Version,
        (long)age.TotalMilliseconds);
}

internal static class ReplicaStates
{
    public const string Alive = "alive";
    public const string Draining = "draining";
    public const string Lost = "lost";

    public static string Of(ReplicaInfo replica, bool isAlive) => !isAlive ? Lost : replica.Draining ? Draining : Alive;
}

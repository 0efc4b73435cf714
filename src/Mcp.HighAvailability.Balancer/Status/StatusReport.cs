using Mcp.HighAvailability.Balancer.Routing;
using Mcp.HighAvailability.Cluster;
using Mcp.HighAvailability.Storage;

namespace Mcp.HighAvailability.Balancer.Status;

/// <summary>Takes the status of the cluster as this balancer sees it.</summary>
internal sealed class StatusReport(
    ReplicaDirectory directory, BalancerEndpoint balancer, RoutingState state, FailoverLog failovers, Timeline timeline, TimeProvider time,
    IConfiguration? configuration = null)
{
    private readonly BalancerStatus _self = new(InstanceName.Of(configuration), Environment.ProcessId, time.GetUtcNow());

    public Status Take()
    {
        var replicas = directory.Known().Select(known => ToStatus(known.Replica, known.Age)).ToList();
        var alive = replicas.Where(replica => !replica.IsLost).ToList();
        var calls = balancer.Calls.Take();
        return new Status(
            time.GetUtcNow(),
            _self,
            new StatusTotals(
                replicas.Count,
                alive.Count,
                alive.Count(replica => replica.State == ReplicaStates.Alive),
                alive.Sum(replica => replica.Sessions),
                alive.Sum(replica => replica.Calls),
                balancer.Relayed,
                state.Held.Bytes,
                state.Held.Count,
                failovers.Total),
            new TrafficStatus(calls.PerSecond, calls.Count, Milliseconds(calls.P50), Milliseconds(calls.P99)),
            new RedisStatus(!directory.RegistryAway, directory.AwaySince, Milliseconds(directory.ReadTook)),
            replicas,
            timeline.Recent());
    }

    private ReplicaStatus ToStatus(ReplicaInfo replica, TimeSpan age) => new(
        replica.Id,
        replica.Instance,
        replica.Address.ToString(),
        replica.ProcessId,
        ReplicaStates.Of(replica, isAlive: directory.Find(replica.Id) is not null),
        replica.Stays,
        replica.Sessions,
        replica.Calls,
        replica.Started,
        replica.Version,
        (long)age.TotalMilliseconds);

    private static double Milliseconds(TimeSpan time) => Math.Round(time.TotalMilliseconds, 2);
}

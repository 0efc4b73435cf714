using System.Diagnostics.Metrics;
using Mcp.HighAvailability.Balancer.Routing;
using Mcp.HighAvailability.Cluster;
using Mcp.HighAvailability.Diagnostics;
using Mcp.HighAvailability.Storage;

namespace Mcp.HighAvailability.Balancer.Status;

/// <summary>The figures of the page as metrics. Computed only when they are collected.</summary>
internal sealed class ClusterMetrics(ReplicaDirectory directory, BalancerEndpoint balancer, RoutingState state, FailoverLog failovers, ReplicaRoster roster,
    ErrorResponses responses, StoreReader store, IMeterFactory meters) : IHostedService
{
    public Task StartAsync(CancellationToken cancellationToken)
    {
        var meter = meters.Create(HighAvailabilityDiagnostics.MeterName);
        meter.CreateObservableUpDownCounter("mcp.ha.cluster.replicas", Replicas, "{replica}", "Replicas in the directory, by state.");
        meter.CreateObservableUpDownCounter("mcp.ha.cluster.unreplaced", roster.CountUnreplaced, "{replica}",
            "Lost replicas that no other one has replaced, each for an hour at most.");
        meter.CreateObservableUpDownCounter("mcp.ha.cluster.sessions", () => OfEach(static replica => replica.Sessions), "{session}",
            "Sessions of each replica, by its last heartbeat.");
        meter.CreateObservableUpDownCounter("mcp.ha.cluster.calls", () => OfEach(static replica => replica.Calls), "{call}",
            "Client requests in progress in each replica, by its last heartbeat.");
        meter.CreateObservableUpDownCounter("mcp.ha.cluster.draining", () => OfEach(static replica => replica.Draining ? 1 : 0), "1",
            "1 while a replica drains, 0 while it takes sessions.");
        meter.CreateObservableUpDownCounter("mcp.ha.directory.reachable", () => directory.RegistryAway ? 0 : 1, "1",
            "1 while the replica directory can be read, 0 while it cannot.");
        meter.CreateObservableGauge("mcp.ha.directory.read.duration", () => directory.ReadTook.TotalSeconds, "s",
            "Duration of the last read of the replica directory.");
        meter.CreateObservableCounter("mcp.ha.balancer.relayed", () => balancer.Relayed, "{exchange}", "Requests that this balancer relayed.");
        meter.CreateObservableCounter("mcp.ha.balancer.failovers", () => failovers.Total, "{exchange}",
            "Requests resumed at another replica after theirs was lost.");
        meter.CreateObservableUpDownCounter("mcp.ha.balancer.held", () => state.Held.Count, "{exchange}",
            "Requests that this balancer holds while no replica can serve them.");
        meter.CreateObservableUpDownCounter("mcp.ha.balancer.held.size", () => state.Held.Bytes, "By", "Body bytes of the requests that this balancer holds.");
        meter.CreateObservableCounter("mcp.ha.balancer.too_many_requests", () => responses.TooManyRequests, "{response}",
            "Responses of this balancer with status 429.");
        meter.CreateObservableCounter("mcp.ha.balancer.server_errors", () => responses.ServerErrors, "{response}",
            "Responses of this balancer with status 500 or more, without those that say \"may have run\".");
        meter.CreateObservableUpDownCounter("mcp.ha.store.memory.used", () => OfStore(static figures => figures.MemoryUsed), "By",
            "Memory that the store uses, as it says.");
        meter.CreateObservableUpDownCounter("mcp.ha.store.memory.limit", () => OfStore(static figures => figures.MemoryLimit), "By",
            "Memory that the store may use; missing without a limit.");
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private IEnumerable<Measurement<int>> Replicas()
    {
        var states = directory.Known().Select(known => ReplicaStates.Of(known.Replica, directory.Find(known.Replica.Id) is not null)).ToList();
        foreach (var name in new[] { ReplicaStates.Alive, ReplicaStates.Draining, ReplicaStates.Lost })
            yield return new(states.Count(other => other == name), new KeyValuePair<string, object?>(AttributeNames.ReplicaState, name));
    }

    // As of the collection before: reading the store would hold up this one.
    private IEnumerable<Measurement<long>> OfStore(Func<StoreFigures, long?> figure) =>
        store.Last is { } figures && figure(figures) is { } bytes ? [new(bytes)] : [];

    private IEnumerable<Measurement<int>> OfEach(Func<ReplicaInfo, int> figure) =>
        directory.Alive.Select(replica => new Measurement<int>(figure(replica), new KeyValuePair<string, object?>(AttributeNames.Replica, replica.Id)));
}

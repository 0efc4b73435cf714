using System.Collections.Concurrent;
using Mcp.HighAvailability.Affinity;
using Mcp.HighAvailability.Balancer.Status;
using Mcp.HighAvailability.Cluster;
using Mcp.HighAvailability.Storage;
using Microsoft.Extensions.Options;

namespace Mcp.HighAvailability.Balancer.Routing;

/// <summary>State that the exchanges of one balancer share. It may be lost at any time; it only improves routing.</summary>
internal sealed class RoutingState(ReplicaDirectory directory, FailoverLog failovers, IOptions<BalancerOptions> options)
{
    private readonly ConcurrentDictionary<string, string> _hints = new(StringComparer.Ordinal);

    public ReplicaDirectory Directory => directory;

    public FailoverLog Failovers => failovers;

    public OwnerCache Owners { get; } = new(options.Value.CachedOwners);

    public HeldRequests Held { get; } = new(options.Value.MaxHeldRequests);

    public PowerOfTwoChoices Loads { get; } = new();

    public string HintOf(ReplicaInfo replica)
    {
        if (_hints.Count > 1000) // replicas come and go under ever new ids
            _hints.Clear();

        return _hints.GetOrAdd(replica.Id, AffinityHint.Of);
    }
}

using System.Diagnostics;
using Mcp.HighAvailability.Lab.Chaos.Cluster;
using Mcp.HighAvailability.Lab.Chaos.History;
using Mcp.HighAvailability.Lab.Up;

namespace Mcp.HighAvailability.Lab.Chaos.Faults;

/// <summary>When a fault may begin: chaos breaks what the product promises to survive, and nothing else.</summary>
/// <remarks>
/// <para>Not promised, and so never generated:</para>
/// <list type="bullet">
/// <item>An owner that dies while Redis is away, or before it has written back what Redis has lost: what it alone knew is gone with it. So
/// Redis has its faults while the cluster is whole and nothing else goes on, and the next fault waits until Redis has every session
/// again and the owners have had the time to send what they held back.</item>
/// <item>A session that only Redis has when it loses its data: its owner is dead or has handed it over, and the next one is not there or has not
/// restored it yet. So Redis is emptied only after every session has had a living owner for a while.</item>
/// <item>An owner that dies while it is cut off from Redis, for the same reason. So a replica has one fault at a time.</item>
/// <item>No replica left to take over. So there is always a replica that is registered and has no fault, except when all of them are killed
/// at once, which Redis makes good: that, too, begins with a whole cluster.</item>
/// <item>No balancer there. So one of them always stays.</item>
/// </list>
/// <para>All else may come together: a replica dies while another one stands still, and a balancer with both of them.</para>
/// </remarks>
internal sealed class FaultRules(ChaosCluster cluster)
{
    private static readonly TimeSpan RestoreTime = TimeSpan.FromSeconds(5);

    private readonly Lock _sync = new();
    private readonly HashSet<PlannedFault> _current = [];
    private long? _heldSince;

    /// <summary>Whether nothing goes on.</summary>
    public bool IsQuiet
    {
        get
        {
            lock (_sync)
                return _current.Count == 0;
        }
    }

    // Every session has had an owner that lives, for longer than a restore takes.
    private async Task<bool> IsHeldAsync(CancellationToken cancellationToken)
    {
        if (await cluster.State.OwnersAsync(cancellationToken) is not { } owners ||
            !owners.Values.All(owner => cluster.Replicas.Any(replica => replica.Id == owner)))
        {
            _heldSince = null;
            return false;
        }

        _heldSince ??= Stopwatch.GetTimestamp();
        if (Stopwatch.GetElapsedTime(_heldSince.Value) <= RestoreTime)
            return false;
        _heldSince = null;
        return true;
    }

    /// <summary>The fault with the victim that it has if it begins now.</summary>
    public async Task<PlannedFault> AimAsync(PlannedFault fault, CancellationToken cancellationToken)
    {
        if (!fault.Aimed || await cluster.State.OwnersAsync(cancellationToken) is not { } owners)
            return fault;
        var hit = Hit();
        var busiest = cluster.Replicas.Select((replica, index) => (Index: index, Sessions: owners.Values.Count(owner => owner == replica.Id)))
            .Where(replica => !hit.Contains(replica.Index)).MaxBy(replica => replica.Sessions);
        return busiest.Sessions > 0 ? fault with { Victim = busiest.Index } : fault;
    }

    /// <summary>Lets a fault begin if it may now. What began ends with <see cref="End"/>.</summary>
    public async Task<bool> TryBeginAsync(PlannedFault fault, CancellationToken cancellationToken)
    {
        if (fault.IsExclusive)
        {
            if (!IsQuiet || !await cluster.IsWholeAsync(cancellationToken))
                return false;
            if (fault.Kind == FaultKind.RedisWipe && !await IsHeldAsync(cancellationToken))
                return false;
        }
        else if (fault.Kind == FaultKind.Balancer)
        {
            // One that was told to end counts as healthy until it has ended.
            if (IsAnyBalancerHit() || !cluster.Balancers.All(balancer => balancer.Status.State == MemberState.Healthy))
                return false;
        }
        else
        {
            var hit = Hit();
            if (hit.Contains(fault.Victim) || !await cluster.IsServingAsync(cluster.Replicas[fault.Victim], cancellationToken))
                return false;
            if (!await AnyStaysAsync(hit, fault.Victim, cancellationToken))
                return false;
        }

        // Only one caller begins faults, so what was true above is true here: faults end meanwhile, none begins.
        lock (_sync)
            _current.Add(fault);
        return true;
    }

    /// <summary>The fault is over.</summary>
    public void End(PlannedFault fault)
    {
        lock (_sync)
            _current.Remove(fault);
    }

    private bool IsAnyBalancerHit()
    {
        lock (_sync)
            return _current.Any(fault => fault.Kind == FaultKind.Balancer);
    }

    private HashSet<int> Hit()
    {
        lock (_sync)
            return [.. _current.Where(fault => fault.HitsReplica).Select(fault => fault.Victim)];
    }

    private async Task<bool> AnyStaysAsync(HashSet<int> hit, int victim, CancellationToken cancellationToken)
    {
        for (var index = 0; index < cluster.Replicas.Count; index++)
        {
            if (index != victim && !hit.Contains(index) && await cluster.IsServingAsync(cluster.Replicas[index], cancellationToken))
                return true;
        }

        return false;
    }
}

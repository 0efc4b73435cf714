using System.Collections.Concurrent;
using System.Globalization;
using Mcp.HighAvailability.Lab.Chaos.Cluster;
using Mcp.HighAvailability.Lab.Chaos.History;
using Mcp.HighAvailability.Lab.Chaos.Network;
using Mcp.HighAvailability.Lab.Processes;
using Mcp.HighAvailability.Lab.Up;

namespace Mcp.HighAvailability.Lab.Chaos.Faults;

/// <summary>Does to the cluster what a fault says; each completes when the cluster is as good as before.</summary>
internal sealed class FaultActions(ChaosCluster cluster)
{
    private readonly ConcurrentDictionary<Member, int> _ended = [];

    // What an owner has held back goes out within the distance of two looks at Redis (1 s each).
    private static readonly TimeSpan SendBacklog = TimeSpan.FromSeconds(2.5);

    /// <summary>Description of the target of a fault.</summary>
    public string Describe(PlannedFault fault) => (fault.Kind, fault.Form) switch
    {
        (FaultKind.Kill, FaultForm.AllKilled) => "kill -9 of all replicas at once",
        (FaultKind.Kill, _) => $"kill -9 of {Victim(fault).Id}",
        (FaultKind.Term, FaultForm.AllTerminated) => "SIGTERM to all replicas, one after the other",
        (FaultKind.Term, _) => $"SIGTERM to {Victim(fault).Id}",
        (FaultKind.Pause, _) => $"SIGSTOP of {Victim(fault).Id} for {Seconds(fault)}",
        (FaultKind.Cut, FaultForm.RedisHeld) => $"{Victim(fault).Id} loses Redis for {Seconds(fault)}, nothing passes",
        (FaultKind.Cut, FaultForm.RedisReset) => $"{Victim(fault).Id} loses Redis for {Seconds(fault)}, connections are reset",
        (FaultKind.Cut, FaultForm.PeersHeld) => $"{Victim(fault).Id} is out of reach for {Seconds(fault)}, nothing passes",
        (FaultKind.Cut, FaultForm.PeersReset) => $"{Victim(fault).Id} is out of reach for {Seconds(fault)}, connections are reset",
        (FaultKind.Cut, FaultForm.AllHeld) => $"{Victim(fault).Id} is alone for {Seconds(fault)}, nothing passes",
        (FaultKind.Cut, _) => $"{Victim(fault).Id} is alone for {Seconds(fault)}, connections are reset",
        (FaultKind.RedisRestart, _) => $"Redis restarts after {How(fault)}",
        (FaultKind.RedisWipe, _) => $"Redis restarts empty after {How(fault)}",
        (FaultKind.RedisOutage, FaultForm.Frozen) => $"Redis stands still for {Seconds(fault)}",
        (FaultKind.RedisOutage, _) => $"Redis is stopped for {Seconds(fault)}",
        _ => $"{How(fault)} of {cluster.Balancers[fault.Victim].Status.Id}",
    };

    /// <summary>The places that it hits.</summary>
    public IReadOnlyList<string> Targets(PlannedFault fault) =>
        fault.HitsReplica ? [Place(fault.Victim)]
        : fault.Kind == FaultKind.Balancer ? [$"balancer{fault.Victim + 1}"]
        : fault.Kind is FaultKind.Kill or FaultKind.Term ? [.. Enumerable.Range(0, cluster.Replicas.Count).Select(Place)]
        : ["redis"];

    /// <summary>Sees whether anything has ended without being made to.</summary>
    /// <exception cref="NotRecoveredException">Something has.</exception>
    public void CheckStarts()
    {
        foreach (var member in cluster.Members)
        {
            var expected = 1 + _ended.GetValueOrDefault(member);
            if (member.Status.Starts != expected)
                throw new NotRecoveredException(
                    $"{member.Status.Id} has been started {member.Status.Starts} times instead of {expected}: it has ended by itself. See its log.");
        }
    }

    /// <summary>The sessions that it hits; <see langword="null"/>: any.</summary>
    public async Task<IReadOnlyList<string>?> AffectedAsync(PlannedFault fault, CancellationToken cancellationToken)
    {
        if (!fault.HitsReplica || await cluster.State.OwnersAsync(cancellationToken) is not { } owners)
            return null;
        var victim = Victim(fault).Id;
        return [.. owners.Where(session => session.Value == victim).Select(session => session.Key)];
    }

    /// <summary>Injects it, and waits until the cluster has recovered.</summary>
    /// <exception cref="NotRecoveredException">It does not recover.</exception>
    public Task RunAsync(PlannedFault fault, CancellationToken cancellationToken) => (fault.Kind, fault.Form) switch
    {
        (_, FaultForm.AllKilled) => EndAllAsync(cancellationToken),
        (_, FaultForm.AllTerminated) => RollAsync(cancellationToken),
        (FaultKind.Kill, _) => EndAsync(Victim(fault), Signal.Kill, cancellationToken),
        (FaultKind.Term, _) => EndAsync(Victim(fault), Signal.Terminate, cancellationToken),
        (FaultKind.Pause, _) => FreezeAsync(Victim(fault), fault.Length, cancellationToken),
        (FaultKind.Cut, _) => CutAsync(Victim(fault), fault.Form, fault.Length, cancellationToken),
        (FaultKind.Balancer, _) => EndBalancerAsync(cluster.Balancers[fault.Victim], SignalOf(fault), cancellationToken),
        (FaultKind.RedisOutage, FaultForm.Frozen) => BreakRedisAsync(() => cluster.Redis.FreezeAsync(fault.Length, cancellationToken), cancellationToken),
        _ => BreakRedisAsync(() => RestartRedisAsync(fault, cancellationToken), cancellationToken),
    };

    private static string Place(int replica) => $"server{replica + 1}";

    // Every intended end of a process goes through here.
    private void End(Member member, Signal signal)
    {
        _ended.AddOrUpdate(member, 1, static (_, times) => times + 1);
        member.Send(signal);
    }

    private Replica Victim(PlannedFault fault) => cluster.Replicas[fault.Victim];

    private static Signal SignalOf(PlannedFault fault) => fault.Form == FaultForm.Killed ? Signal.Kill : Signal.Terminate;

    private static string How(PlannedFault fault) => fault.Form == FaultForm.Killed ? "kill -9" : "SIGTERM";

    private static string Seconds(PlannedFault fault) => string.Create(CultureInfo.InvariantCulture, $"{fault.Length.TotalSeconds:0.0} s");

    private async Task EndAsync(Replica replica, Signal signal, CancellationToken cancellationToken)
    {
        var starts = replica.Member.Status.Starts;
        End(replica.Member, signal);
        await ReplacedAsync(replica, starts, cancellationToken);
    }

    private async Task EndAllAsync(CancellationToken cancellationToken)
    {
        var before = cluster.Replicas.Select(replica => (replica, replica.Member.Status.Starts)).ToList();
        foreach (var (replica, _) in before)
            End(replica.Member, Signal.Kill);
        await Task.WhenAll(before.Select(one => ReplacedAsync(one.replica, one.Starts, cancellationToken)));
    }

    private async Task RollAsync(CancellationToken cancellationToken)
    {
        foreach (var replica in cluster.Replicas)
            await EndAsync(replica, Signal.Terminate, cancellationToken);
    }

    private async Task ReplacedAsync(Replica replica, int starts, CancellationToken cancellationToken) => await States.UntilAsync(
        async token => replica.Member.Status.Starts > starts && await cluster.IsServingAsync(replica, token),
        $"another replica in the place of {replica.Id}",
        cancellationToken);

    private async Task FreezeAsync(Replica replica, TimeSpan length, CancellationToken cancellationToken)
    {
        replica.Member.Send(Signal.Stop);
        try
        {
            await Task.Delay(length, cancellationToken);
        }
        finally
        {
            replica.Member.Send(Signal.Continue);
        }

        await ServesAgainAsync(replica, cancellationToken);
    }

    private async Task CutAsync(Replica replica, FaultForm form, TimeSpan length, CancellationToken cancellationToken)
    {
        replica.Sever(
            fromRedis: form is not (FaultForm.PeersHeld or FaultForm.PeersReset),
            fromPeers: form is not (FaultForm.RedisHeld or FaultForm.RedisReset),
            form is FaultForm.RedisHeld or FaultForm.PeersHeld or FaultForm.AllHeld ? Cut.Hold : Cut.Reset);
        try
        {
            await Task.Delay(length, cancellationToken);
        }
        finally
        {
            replica.Restore();
        }

        await ServesAgainAsync(replica, cancellationToken);
        await Task.Delay(SendBacklog, cancellationToken);
    }

    private Task ServesAgainAsync(Replica replica, CancellationToken cancellationToken) =>
        States.UntilAsync(token => cluster.IsServingAsync(replica, token), $"{replica.Id} to be registered again", cancellationToken);

    private async Task EndBalancerAsync(Member balancer, Signal signal, CancellationToken cancellationToken)
    {
        var starts = balancer.Status.Starts;
        End(balancer, signal);
        await States.UntilAsync(
            () => balancer.Status.Starts > starts && balancer.Status.State == MemberState.Healthy, $"{balancer.Status.Id} to be back", cancellationToken);
    }

    private Task RestartRedisAsync(PlannedFault fault, CancellationToken cancellationToken)
    {
        _ended.AddOrUpdate(cluster.Redis.Member, 1, static (_, times) => times + 1);
        return cluster.Redis.RestartAsync(SignalOf(fault), fault.Length, fault.Kind == FaultKind.RedisWipe, cancellationToken);
    }

    private async Task BreakRedisAsync(Func<Task> harm, CancellationToken cancellationToken)
    {
        IReadOnlyDictionary<string, string>? sessions = null;
        await States.UntilAsync(async token => (sessions = await cluster.State.OwnersAsync(token)) is not null, "Redis to answer", cancellationToken);
        await harm();
        await States.UntilAsync(cluster.IsWholeAsync, "all replicas to be registered again", cancellationToken);
        List<string> missing = [];
        await States.UntilAsync(
            async token =>
            {
                if (await cluster.State.OwnersAsync(token) is not { } now)
                    return false;
                missing = [.. sessions!.Where(session => !now.ContainsKey(session.Key)).Select(session => $"{session.Key} of {session.Value}")];
                return missing.Count == 0;
            },
            () => $"every session to be in Redis again; missing: {string.Join(", ", missing)}",
            cancellationToken);
        await Task.Delay(SendBacklog, cancellationToken);
    }
}

using Mcp.HighAvailability.Lab.Chaos.History;

namespace Mcp.HighAvailability.Lab.Chaos.Faults;

/// <summary>The faults of a run, in order. They follow from the arguments alone: the same seed, the same faults.</summary>
/// <remarks>
/// How the cluster feels plays no part in the choice, but for one thing: two of three faults of a replica are aimed at the one that then has
/// the most sessions, because all sessions may have come together in one, and faults of the others would show nothing. Where a fault cannot begin yet
/// (<see cref="FaultRules"/>) the run waits; it does not choose another one.
/// </remarks>
internal sealed class FaultPlan(int seed, IReadOnlyList<FaultKind> kinds, int replicas, int balancers, TimeSpan spacing)
{
    private static readonly TimeSpan OutageLength = TimeSpan.FromSeconds(10);

    /// <summary>As many as wanted.</summary>
    public IEnumerable<PlannedFault> Faults()
    {
        var random = new Random(seed);
        var kindBag = new Bag<FaultKind>([.. kinds.SelectMany(kind => Enumerable.Repeat(kind, FaultForms.Weight(kind)))], random);
        var formBags = kinds.ToDictionary(kind => kind, kind => new Bag<FaultForm>(FaultForms.Of(kind), random));
        var replica = -1;
        var balancer = -1;
        for (var number = 1; ; number++)
        {
            var kind = kindBag.Take();
            var form = formBags[kind].Take();

            var fault = new PlannedFault(number, kind, form, Victim: 0, Aimed: false, Length(kind), spacing * (0.4 + (1.2 * random.NextDouble())));

            // Not the last victim again: it may not be back for a while, and everything would wait for it.
            if (kind == FaultKind.Balancer)
                fault = fault with { Victim = balancer = Other(balancer, balancers) };
            else if (fault.HitsReplica)
                fault = fault with { Victim = replica = Other(replica, replicas), Aimed = random.Next(3) > 0 };
            yield return fault;
        }

        int Other(int last, int count)
        {
            var choice = random.Next(last < 0 || count == 1 ? count : count - 1);
            return last >= 0 && count > 1 && choice >= last ? choice + 1 : choice;
        }

        TimeSpan Length(FaultKind kind) => kind switch
        {
            // Heartbeats are overdue after 3 s, so the others have given it up when it comes back.
            FaultKind.Pause or FaultKind.Cut => TimeSpan.FromSeconds(3.5 + (2.5 * random.NextDouble())),
            FaultKind.RedisRestart or FaultKind.RedisWipe => TimeSpan.FromMilliseconds(random.Next(0, 500)),
            FaultKind.RedisOutage => OutageLength,
            _ => TimeSpan.Zero,
        };
    }
}

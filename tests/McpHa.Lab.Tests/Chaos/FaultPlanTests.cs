using Mcp.HighAvailability.Lab.Chaos.Faults;
using Mcp.HighAvailability.Lab.Chaos.History;

namespace McpHa.Tests.Chaos;

/// <summary>What a seed decides.</summary>
[Trait("Category", "Quick")]
public sealed class FaultPlanTests
{
    private static readonly FaultKind[] All = Enum.GetValues<FaultKind>();

    [Fact]
    public void The_same_seed_gives_the_same_faults() => Assert.Equal(Plan(seed: 17, 500), Plan(seed: 17, 500));

    [Fact]
    public void Another_seed_gives_other_faults() => Assert.NotEqual(Plan(seed: 17, 50), Plan(seed: 18, 50));

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Even_a_short_run_has_every_kind_and_a_longer_one_every_form(int seed)
    {
        var plan = Plan(seed, 400);

        Assert.Equal(All, plan.Take(All.Sum(FaultForms.Weight)).Select(fault => fault.Kind).Distinct().Order());
        foreach (var kind in All)
            Assert.Equal(FaultForms.Of(kind).Distinct().Order(), plan.Where(fault => fault.Kind == kind).Select(fault => fault.Form).Distinct().Order());
    }

    [Fact]
    public void Victims_are_all_of_them_and_never_the_same_twice_in_a_row()
    {
        var victims = Plan(seed: 5, 400).Where(fault => fault.HitsReplica).Select(fault => fault.Victim).ToList();

        Assert.Equal([0, 1, 2], victims.Distinct().Order());
        Assert.DoesNotContain(victims.Zip(victims.Skip(1)), pair => pair.First == pair.Second);
    }

    [Fact]
    public void Most_faults_of_a_replica_are_aimed_at_the_busiest_and_no_others()
    {
        var plan = Plan(seed: 5, 400);

        var aimed = plan.Count(fault => fault.Aimed);
        Assert.InRange(aimed, plan.Count(fault => fault.HitsReplica) / 2, plan.Count(fault => fault.HitsReplica) - 1);
        Assert.DoesNotContain(plan, fault => fault.Aimed && !fault.HitsReplica);
    }

    [Fact]
    public void Only_kinds_that_were_asked_for_are_there() =>
        Assert.Equal([FaultKind.Kill, FaultKind.Cut], new FaultPlan(3, [FaultKind.Kill, FaultKind.Cut], 3, 2, TimeSpan.FromSeconds(1)).Faults().Take(100).Select(fault => fault.Kind).Distinct().Order());

    [Fact]
    public void A_pause_or_a_cut_outlasts_the_heartbeat() =>
        Assert.All(Plan(seed: 9, 300).Where(fault => fault.Kind is FaultKind.Pause or FaultKind.Cut), fault => Assert.InRange(fault.Length.TotalSeconds, 3.5, 6));

    private static List<PlannedFault> Plan(int seed, int count) => [.. new FaultPlan(seed, All, 3, 2, TimeSpan.FromSeconds(1)).Faults().Take(count)];
}

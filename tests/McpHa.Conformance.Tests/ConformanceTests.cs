
namespace McpHa.Tests.Conformance;

/// <summary>The official conformance suite against three replicas.</summary>
[Collection(ConformanceCollection.Name)]
public sealed class ConformanceTests(ConformanceCluster fixture, ITestOutputHelper output)
{
    private const int AtOnce = 3;

    /// <summary>What the suite is run against.</summary>
    public enum Front
    {
        /// <summary>nginx, which hands the requests to the replicas in turn.</summary>
        Nginx,

        /// <summary>The balancer, while a replica is killed every two seconds.</summary>
        BalancerWhileReplicasDie,
    }

    /// <summary>Each access once: a suite that passes while replicas die needs no quiet run.</summary>
    public static TheoryData<Front> Fronts => [Front.Nginx, Front.BalancerWhileReplicasDie];

    [Theory, MemberData(nameof(Fronts))]
    public Task The_released_suite_passes(Front front) => PassesAsync(Suite.Released, front);

    [Theory, MemberData(nameof(Fronts))]
    public Task Everything_passes_that_2025_11_25_requires(Front front) => PassesAsync(Suite.November2025, front);

    [Theory, MemberData(nameof(Fronts))]
    public Task Everything_passes_that_2026_07_28_requires(Front front) => PassesAsync(Suite.July2026, front);

    [Theory, MemberData(nameof(Fronts))]
    public Task The_scenarios_of_the_tasks_extension_pass(Front front) => PassAsync(Suite.Tasks, front);

    private Task PassesAsync(Suite suite, Front front) => PassAsync([suite], front);

    // Side by side: each has clients of its own, and waits most of the time.
    private async Task PassAsync(IReadOnlyList<Suite> suites, Front front)
    {
        if (front == Front.Nginx)
            Assert.SkipWhen(LabCluster.NginxUnavailable is not null, LabCluster.NginxUnavailable ?? "");
        Assert.SkipWhen(NodePrograms.Unavailable is not null, NodePrograms.Unavailable ?? "");
        await fixture.CompleteAsync();
        if (front == Front.Nginx)
        {
            await AllAsync(fixture.Cluster.NginxEndpoint);
            return;
        }

        await using var killing = fixture.StartKilling();
        await AllAsync(fixture.Cluster.Endpoint);
        output.WriteLine($"{killing.Kills} replicas were killed.");
        Assert.InRange(killing.Kills, 1, int.MaxValue);

        Task AllAsync(Uri endpoint) => Parallel.ForEachAsync(
            suites,
            new ParallelOptions { MaxDegreeOfParallelism = AtOnce },
            async (suite, _) => await suite.PassesAsync(endpoint, isDisturbed: front != Front.Nginx));
    }
}

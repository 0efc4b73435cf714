using Mcp.HighAvailability.Lab.Bench.Load;
using Mcp.HighAvailability.Lab.Bench.Server;

namespace Mcp.HighAvailability.Lab.Bench.Subjects;

/// <summary>Subjects that are measured side by side.</summary>
/// <param name="Key">Its name in <c>--only</c> and in the report.</param>
/// <param name="Title">What it is.</param>
/// <param name="Loads">The loads it is measured with.</param>
/// <param name="StartAsync">Starts its processes.</param>
internal sealed record SubjectPlan(string Key, string Title, IReadOnlyList<LoadPlan> Loads, Func<SubjectProcesses, SubjectPlan, Task<Subject>> StartAsync)
{
    /// <summary>Connections under load, and the single one that shows the latency of a call.</summary>
    public const int Many = 64;

    private static readonly LoadPlan[] EachKind =
        [.. from connections in (int[])[Many, 1] from kind in (CallKind[])[CallKind.ReadOnly, CallKind.State, CallKind.Effect] select new LoadPlan(kind,
            connections)];

    private static readonly LoadPlan[] Reads = [new(CallKind.ReadOnly, Many), new(CallKind.ReadOnly, 1)];
    private static readonly LoadPlan[] Mixed = [new(CallKind.Mixed, Many), new(CallKind.Mixed, 1)];

    /// <summary>All subjects, in the order of their turns.</summary>
    public static IReadOnlyList<SubjectPlan> All { get; } =
    [
        new("sdk", "SDK's ASP.NET Core package, in memory", EachKind, async (processes, plan) => new(plan, [await processes.ServerAsync(ServerKind.Sdk)])),
        new("replica", "replica, direct", EachKind, async (processes, plan) => await processes.OneReplicaAsync(plan)),
        new("nginx", "nginx, 1 replica", Reads, async (processes, plan) => await processes.OneReplicaAsync(plan, processes.NginxAsync)),
        new("yarp", "YARP, 1 replica", Reads, async (processes, plan) => await processes.OneReplicaAsync(plan, processes.YarpAsync)),
        new("balancer", "balancer, 1 replica", Reads, async (processes, plan) => await processes.OneReplicaAsync(plan, processes.BalancerAsync)),
        new("sdk-ha", "SDK's own parts on Redis, nginx, 3 servers", Mixed, async (processes, plan) => await processes.SdkHaAsync(plan)),
        new("cluster", "balancer, 3 replicas", Mixed, async (processes, plan) => await processes.ThreeReplicasAsync(plan, processes.BalancerAsync)),
        new("cluster-nginx", "nginx round robin, 3 replicas", Mixed, async (processes, plan) => await processes.ThreeReplicasAsync(plan, processes.NginxAsync)),
        new("bare", "Kestrel with a JSON echo", Reads, async (processes, plan) =>
            new(plan, [await processes.ServerAsync(ServerKind.Bare)])) { ByDefault = false, HasSessions = false },
        new("fast", "replica, Durability.Fast", EachKind, async (processes, plan) =>
            await processes.OtherReplicaAsync(plan, durability: "Fast")) { ByDefault = false },
        new("no-telemetry", "replica without meters", EachKind, async (processes, plan) =>
            await processes.OtherReplicaAsync(plan, telemetry: TelemetryUse.Removed)) { ByDefault = false },
        new("telemetry", "replica, 10 % of traces exported", EachKind, async (processes, plan) =>
            await processes.OtherReplicaAsync(plan, telemetry: TelemetryUse.Sampled)) { ByDefault = false },
        new("other", "replica of the other build", EachKind, async (processes, plan) =>
            await processes.OtherReplicaAsync(plan, isOther: true)) { ByDefault = false },
    ];

    /// <summary>Whether it is measured without being named in <c>--only</c>.</summary>
    public bool ByDefault { get; init; } = true;

    public bool NeedsNginx => Key.Contains("nginx", StringComparison.Ordinal) || Key == "sdk-ha";

    /// <summary>Whether its clients open sessions.</summary>
    public bool HasSessions { get; init; } = true;
}

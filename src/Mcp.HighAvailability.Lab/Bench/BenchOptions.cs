using Mcp.HighAvailability.Lab.Bench.Subjects;
using Mcp.HighAvailability.Lab.Processes;

namespace Mcp.HighAvailability.Lab.Bench;

/// <summary>Options of <c>bench</c>.</summary>
/// <param name="Rounds">Rounds of load.</param>
/// <param name="Duration">Length of one turn of one subject.</param>
/// <param name="Kills">Kills of a replica with a call in flight.</param>
/// <param name="Sessions">Idle sessions whose memory is measured.</param>
/// <param name="Streams">GET streams through one balancer.</param>
/// <param name="Only">Which of <see cref="Parts"/> to measure.</param>
/// <param name="Other">Another build to measure beside this one; <see langword="null"/>: none.</param>
/// <param name="JsonFile">Where the report goes; <see langword="null"/>: nowhere.</param>
internal sealed record BenchOptions(
    int Rounds, TimeSpan Duration, int Kills, int Sessions, int Streams, IReadOnlySet<string> Only, OtherBuild? Other, string? JsonFile)
{
    public const string Memory = "memory";
    public const string Kill = "kill";
    public const string Crowd = "crowd";
    public const string Vanish = "vanish";
    public const string StreamsPart = "streams";
    public const string TasksPart = "tasks";

    private static readonly string[] Figures = [Memory, TasksPart, Kill, Crowd, Vanish, StreamsPart];

    /// <summary>The parts that can be measured: subjects under load, and the other figures.</summary>
    public static IReadOnlyList<string> Parts { get; } = [.. SubjectPlan.All.Select(plan => plan.Key), .. Figures];

    /// <summary>Parts measured without <c>--only</c>.</summary>
    public static IReadOnlyList<string> DefaultParts { get; } = [.. SubjectPlan.All.Where(plan => plan.ByDefault).Select(plan => plan.Key), .. Figures];

    /// <summary>Where its processes write.</summary>
    public string Folder { get; } = Path.GetFullPath(Path.Combine(".lab", "bench"));

    public IReadOnlyList<SubjectPlan> Subjects => [.. SubjectPlan.All.Where(plan => Only.Contains(plan.Key))];

    /// <summary>Checks that the machine has what the measurement needs.</summary>
    /// <exception cref="LabException">Something is missing; the message names the cure.</exception>
    public void CheckMachine()
    {
        if (!ProcessCpu.IsSupported)
            throw new LabException("bench reads processor times from /proc. Run it on Linux.");
        if (RedisServer.Executable is null)
            throw new LabException("redis-server is not on PATH. Install it: apt-get install redis-server.");
        if (Nginx.Executable is null && Subjects.FirstOrDefault(plan => plan.NeedsNginx) is { } plan)
            throw new LabException(
                $"'{plan.Key}' needs nginx, which is not installed. Install it (apt-get install nginx), or leave the subject out with --only.");
        if (Only.Contains(StreamsPart))
            Bench.Streams.StreamRun.CheckLimit(Streams);
    }
}

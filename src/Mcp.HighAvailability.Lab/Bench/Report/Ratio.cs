using Mcp.HighAvailability.Lab.Bench.Load;
using Mcp.HighAvailability.Lab.Bench.Subjects;

namespace Mcp.HighAvailability.Lab.Bench.Report;

/// <summary>A figure of one subject as a share of that of another in the same round; the median of all rounds.</summary>
internal sealed record Ratio(string Name, int Connections, double Median, double Low, double High)
{
    private static readonly int[] ManyAndOne = [SubjectPlan.Many, 1];
    private static readonly int[] ManyOnly = [SubjectPlan.Many];

    private static readonly (string Name, string Above, string Below, CallKind Kind, int[] Connections, Func<Turn, double> Figure)[] Known =
    [
        ("read-only/sdk", "replica", "sdk", CallKind.ReadOnly, ManyAndOne, Speed),
        ("state/sdk", "replica", "sdk", CallKind.State, ManyAndOne, Speed),
        ("effect/sdk", "replica", "sdk", CallKind.Effect, ManyAndOne, Speed),
        ("read-only-cpu/sdk-cpu", "replica", "sdk", CallKind.ReadOnly, ManyOnly, turn => turn.ServerMicrosecondsPerCall),
        ("balancer-cpu/nginx-cpu", "balancer", "nginx", CallKind.ReadOnly, ManyAndOne, turn => turn.ProxyMicrosecondsPerCall),
        ("balancer-cpu/yarp-cpu", "balancer", "yarp", CallKind.ReadOnly, ManyAndOne, turn => turn.ProxyMicrosecondsPerCall),
        ("balancer/replica", "balancer", "replica", CallKind.ReadOnly, ManyAndOne, Speed),
        ("nginx/replica", "nginx", "replica", CallKind.ReadOnly, ManyAndOne, Speed),
        ("yarp/replica", "yarp", "replica", CallKind.ReadOnly, ManyAndOne, Speed),
        ("system/sdk-ha", "cluster", "sdk-ha", CallKind.Mixed, ManyAndOne, Speed),
        ("system-nginx/sdk-ha", "cluster-nginx", "sdk-ha", CallKind.Mixed, ManyAndOne, Speed),
        ("sdk/bare", "sdk", "bare", CallKind.ReadOnly, ManyAndOne, Speed),
        .. OfEachKind("fast"),
        .. OfEachKind("no-telemetry"),
        .. OfEachKind("telemetry"),
        .. OfEachKind("other"),
    ];

    /// <summary>All ratios whose two subjects were measured.</summary>
    public static IReadOnlyList<Ratio> Of(IReadOnlyList<SubjectReport> load)
    {
        var reports = load.ToDictionary(subject => subject.Key);
        return
        [
            .. from known in Known
               where reports.ContainsKey(known.Above) && reports.ContainsKey(known.Below)
               from connections in known.Connections
               let above = reports[known.Above].Of(known.Kind, connections)
               let below = reports[known.Below].Of(known.Kind, connections)
               where above is not null && below is not null
               select Of(known.Name, connections, above.Turns, below.Turns, known.Figure),
        ];
    }

    private static Ratio Of(string name, int connections, IReadOnlyList<Turn> above, IReadOnlyList<Turn> below, Func<Turn, double> figure)
    {
        var shares = above.Zip(below, (one, other) => figure(one) / figure(other)).ToArray();
        return new(name, connections, Figures.Median(shares), shares.Min(), shares.Max());
    }

    private static double Speed(Turn turn) => turn.CallsPerSecond;

    // "telemetry/replica state": the same replica with a single difference.
    private static IEnumerable<(string, string, string, CallKind, int[], Func<Turn, double>)> OfEachKind(string above) =>
        from kind in (CallKind[])[CallKind.ReadOnly, CallKind.State, CallKind.Effect]
        select ($"{above}/replica {kind.Text()}", above, "replica", kind, ManyAndOne, (Func<Turn, double>)Speed);
}

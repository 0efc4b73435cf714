using System.Globalization;
using Mcp.HighAvailability.Lab.Bench.Server;
using Mcp.HighAvailability.Lab.Bench.Subjects;

namespace Mcp.HighAvailability.Lab.Bench.Report;

/// <summary>A figure that is aimed at, and what was measured.</summary>
internal sealed record Target(string Name, string Wanted, double Measured, string Unit, bool Reached)
{
    public static IReadOnlyList<Target> Of(BenchReport report)
    {
        List<Target> targets = [];
        AtLeast("read-only/sdk", SubjectPlan.Many, 1.00);
        AtLeast("read-only/sdk", 1, 1.00);
        AtLeast("state/sdk", SubjectPlan.Many, 0.70);
        AtLeast("effect/sdk", SubjectPlan.Many, 0.50);
        if (Share("balancer-cpu/nginx-cpu", SubjectPlan.Many) is { } cpu)
            AtMost("balancer-cpu/nginx-cpu", 1.5, cpu);
        AtLeast("system/sdk-ha", SubjectPlan.Many, 3.00);
        AtLeast("no-telemetry/replica read-only", SubjectPlan.Many, 0.97);
        AtLeast("telemetry/replica read-only", SubjectPlan.Many, 0.95);
        foreach (var (name, p50, p99) in new (string, double?, double)[] { ("kill", 40, 200), ("crowd", null, 400), ("vanish", 1_000, 1_500) })
        {
            if (report.Failures.FirstOrDefault(failure => failure.Name == name) is not { } failure)
                continue;
            if (p50 is { } wanted)
                AtMost($"{name}, p50", wanted, failure.P50Milliseconds, "ms");
            AtMost($"{name}, p99", p99, failure.P99Milliseconds, "ms");
        }

        if (report.Streams is { } streams)
            AddStreams(streams);
        if (report.Memory.GetValueOrDefault(ServerKind.Ha) is { } memory)
            AtMost("managed memory per idle session with stream", 15, memory.StreamingBytes / 1024, "KB");
        return targets;

        void AddStreams(StreamReport streams)
        {
            AtMost("streams refused", 0, streams.Refused);
            AtMost("sessions taken from living replicas", 0, streams.FalseTakeOvers);
            AtMost("balancer memory per stream", 30, streams.BalancerBytesPerStream / 1024, "KB");
            AtMost("idle streams, CPU beyond an empty cluster", 3, streams.IdleCpuPercentBeyondEmpty, "%");
            AtMost("broadcast, p99", 300, streams.BroadcastP99Milliseconds, "ms");
            AtMost("silence of streams after a kill, p50", 1_000, streams.SilenceP50Milliseconds, "ms");
            AtMost("silence of streams after a kill, p99", 2_000, streams.SilenceP99Milliseconds, "ms");
            AtMost("events lost", 0, streams.Lost);
            AtMost("events doubled", 0, streams.Doubled);
        }

        double? Share(string name, int connections) => report.Ratios.FirstOrDefault(ratio => ratio.Name == name && ratio.Connections == connections)?.Median;

        void AtLeast(string name, int connections, double wanted)
        {
            if (Share(name, connections) is { } value)
                targets.Add(new($"{name}, {connections} connection{(connections == 1 ? "" : "s")}", string.Create(CultureInfo.InvariantCulture,
                    $"≥ {wanted:0.00}"), value, "", value >= wanted));
        }

        void AtMost(string name, double wanted, double measured, string unit = "") =>
            targets.Add(new(name, string.Create(CultureInfo.InvariantCulture, $"≤ {wanted} {unit}").TrimEnd(), measured, unit, measured <= wanted));
    }
}

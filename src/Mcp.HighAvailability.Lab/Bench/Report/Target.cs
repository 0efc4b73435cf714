using System.Globalization;
using Mcp.HighAvailability.Lab.Bench.Server;

namespace Mcp.HighAvailability.Lab.Bench.Report;

/// <summary>A figure that was promised, and what was measured.</summary>
internal sealed record Target(string Name, string Wanted, double Measured, string Unit, bool Reached)
{
    public static IReadOnlyList<Target> Of(BenchReport report)
    {
        List<Target> targets = [];
        AtLeast("c/b, 64 connections", 0.60, Share("c/b"));
        AtLeast("c/n, 64 connections", 0.97, Share("c/n"));
        AtLeast("t/c, 64 connections", 0.95, Share("t/c"));
        AtLeast("e/c, 64 connections", 0.50, Share("e/c"));
        AtMost("failover p50", 100, report.Failover?.P50Milliseconds, "ms");
        AtMost(report.Failover?.P99Milliseconds is null ? "failover, longest" : "failover p99", 500, report.Failover?.P99Milliseconds ?? report.Failover?.MaxMilliseconds, "ms");
        AtMost("Redis commands per echo", 3, report.Redis?.SentPerCall, "");
        if (report.Memory.GetValueOrDefault(ServerKind.Ha) is { } memory)
            AtMost("managed memory per idle session", 25, memory.IdleBytes / 1024, "KB");
        return targets;

        double? Share(string name) => report.Ratios.FirstOrDefault(ratio => ratio.Name == name && ratio.Connections == 64)?.Median;

        void AtLeast(string name, double wanted, double? measured)
        {
            if (measured is { } value)
                targets.Add(new(name, string.Create(CultureInfo.InvariantCulture, $"≥ {wanted:0.00}"), value, "", value >= wanted));
        }

        void AtMost(string name, double wanted, double? measured, string unit)
        {
            if (measured is { } value)
                targets.Add(new(name, string.Create(CultureInfo.InvariantCulture, $"≤ {wanted} {unit}").TrimEnd(), value, unit, value <= wanted));
        }
    }
}

using System.Diagnostics.Metrics;

namespace Mcp.HighAvailability.Diagnostics;

/// <summary>Bucket boundaries for histograms of durations in seconds. The exporters' defaults are made for milliseconds.</summary>
internal static class DurationBuckets
{
    public static InstrumentAdvice<double> Advice { get; } = new()
    {
        HistogramBucketBoundaries = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
    };
}

using Mcp.HighAvailability.Lab.Chaos.History;

namespace Mcp.HighAvailability.Lab.Chaos.Check;

/// <summary>Result of the checker.</summary>
/// <param name="Violations">All findings, earliest first.</param>
/// <param name="Pauses">Every pause that was measured: one per fault and session that noticed or could have.</param>
/// <param name="Elsewhere">The same measure in sessions that the fault did not hit.</param>
internal sealed record Verdict(IReadOnlyList<Violation> Violations, Counts Counts, IReadOnlyList<Pause> Pauses, IReadOnlyList<Pause> Elsewhere)
{
    /// <summary>Whether all is as promised.</summary>
    public bool Holds => Violations.Count == 0;
}

/// <summary>The longest silence that one session's client saw because of one fault, beyond what its calls take undisturbed.</summary>
/// <param name="At">When the silence began.</param>
internal sealed record Pause(int Fault, FaultKind Kind, string Session, TimeSpan At, TimeSpan Length)
{
    /// <summary>Whether a call was running at the moment of the fault: such a session could not miss it.</summary>
    public bool WasRunning { get; init; }
}

/// <summary>Percentiles of pauses, in milliseconds.</summary>
/// <param name="N">Number of pauses.</param>
/// <param name="P50">Median.</param>
/// <param name="P99">99th percentile; <see langword="null"/> with fewer than 100 pauses: it would then be the longest.</param>
/// <param name="Max">The longest.</param>
internal sealed record PauseFigures(int N, double P50, double? P99, double Max)
{
    private const int MinForP99 = 100;

    public static PauseFigures Of(IEnumerable<TimeSpan> lengths)
    {
        double[] sorted = [.. lengths.Select(length => length.TotalMilliseconds).Order()];
        return sorted.Length == 0 ? new(0, 0, null, 0) : new(sorted.Length, Rank(0.5), sorted.Length < MinForP99 ? null : Rank(0.99), sorted[^1]);

        // Nearest rank: a figure that was measured, not one between two.
        double Rank(double share) => sorted[Math.Max(0, (int)Math.Ceiling(share * sorted.Length) - 1)];
    }
}

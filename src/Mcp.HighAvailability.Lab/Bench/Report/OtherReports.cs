namespace Mcp.HighAvailability.Lab.Bench.Report;

/// <summary>Redis commands of an <c>echo</c> call.</summary>
/// <param name="Calls">Calls that were counted.</param>
/// <param name="SentPerCall">Commands that the server sends.</param>
/// <param name="ProcessedPerCall">Commands that Redis runs, those inside scripts included.</param>
/// <param name="ProcessedByName">The same by command.</param>
internal sealed record RedisReport(int Calls, double SentPerCall, double ProcessedPerCall, IReadOnlyDictionary<string, double> ProcessedByName);

/// <summary>Managed memory of an idle session, in bytes.</summary>
/// <param name="Sessions">Number of sessions that were open.</param>
/// <param name="IdleBytes">Of a session without a stream.</param>
/// <param name="StreamingBytes">Of a session with an open GET stream, its connection included.</param>
internal sealed record MemoryReport(int Sessions, double IdleBytes, double StreamingBytes);

/// <summary>How long clients heard nothing after a kill, in milliseconds.</summary>
/// <param name="Milliseconds">Every kill, in order.</param>
internal sealed record FailoverReport(IReadOnlyList<double> Milliseconds)
{
    public int Kills => Milliseconds.Count;

    public double P50Milliseconds => Figures.Percentile([.. Milliseconds.Order()], 0.50);

    /// <summary>99th percentile; <see langword="null"/> with fewer than 100 kills: it would then be the longest pause.</summary>
    public double? P99Milliseconds => Kills < 100 ? null : Figures.Percentile([.. Milliseconds.Order()], 0.99);

    public double MaxMilliseconds => Milliseconds.Max();
}

namespace Mcp.HighAvailability.Lab.Bench.Report;

/// <summary>How long the clients of a call in flight heard nothing when its replica was lost, in milliseconds.</summary>
/// <param name="Name">How it was lost: <c>kill</c>, <c>crowd</c> or <c>vanish</c>.</param>
/// <param name="Title">The same in words.</param>
/// <param name="Milliseconds">Each loss, in order.</param>
internal sealed record FailureReport(string Name, string Title, IReadOnlyList<double> Milliseconds)
{
    public int Losses => Milliseconds.Count;

    public double P50Milliseconds => Percentile(0.50);

    /// <summary>99th percentile by nearest rank: with fewer than 100 losses it is the longest.</summary>
    public double P99Milliseconds => Percentile(0.99);

    public double MaxMilliseconds => Milliseconds.Max();

    private double Percentile(double share) => Figures.Percentile([.. Milliseconds.Order()], share);
}

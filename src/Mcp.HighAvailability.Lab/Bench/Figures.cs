namespace Mcp.HighAvailability.Lab.Bench;

/// <summary>Medians and percentiles.</summary>
internal static class Figures
{
    /// <summary>A percentile (0 to 1) of sorted values, by nearest rank.</summary>
    public static T Percentile<T>(IReadOnlyList<T> sorted, double share) where T : struct =>
        sorted.Count == 0 ? default : sorted[Math.Clamp((int)Math.Ceiling(share * sorted.Count) - 1, 0, sorted.Count - 1)];

    /// <summary>The median; of an even number, the mean of the two in the middle.</summary>
    public static double Median(IEnumerable<double> values)
    {
        var sorted = values.Order().ToArray();
        if (sorted.Length == 0)
            return double.NaN;
        return sorted.Length % 2 == 1 ? sorted[sorted.Length / 2] : (sorted[sorted.Length / 2 - 1] + sorted[sorted.Length / 2]) / 2;
    }
}

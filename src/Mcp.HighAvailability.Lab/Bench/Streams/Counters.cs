using System.Globalization;
using Mcp.HighAvailability.Lab.Bench.Failures;

namespace Mcp.HighAvailability.Lab.Bench.Streams;

/// <summary>Counters that the processes of a cluster serve to Prometheus.</summary>
internal static class Counters
{
    private static readonly HttpClient Http = new(new SocketsHttpHandler { UseProxy = false });

    /// <summary>Sessions that the replicas have taken over.</summary>
    public static async Task<double> TakeOversAsync(SampleCluster cluster, CancellationToken cancellationToken)
    {
        double sum = 0;
        foreach (var replica in cluster.Replicas)
            sum += await ReadAsync(replica, "mcp_ha_takeovers", cancellationToken);
        return sum;
    }

    /// <summary>Attempts of the balancer that failed.</summary>
    public static Task<double> FailedAttemptsAsync(SampleCluster cluster, CancellationToken cancellationToken) =>
        ReadAsync(cluster.Balancer, "mcp_ha_relay_failures", cancellationToken);

    private static async Task<double> ReadAsync(Running process, string metric, CancellationToken cancellationToken) =>
        Sum(await Http.GetStringAsync(new Uri(process.Url, "/metrics"), cancellationToken), metric);

    /// <summary>Sum of a counter over all its labels; 0 if it has not counted yet.</summary>
    public static double Sum(string text, string metric) => text.Split('\n')
        .Where(line => line.StartsWith(metric, StringComparison.Ordinal) && line[metric.Length..].TrimStart('_') is var rest
            && (rest.StartsWith("total", StringComparison.Ordinal) || rest is ['{' or ' ', ..]))
        .Sum(line => double.Parse(Value(line), CultureInfo.InvariantCulture));

    // name{label="value"} 12 1700000000000
    private static string Value(string line)
    {
        var start = line.LastIndexOf('}');
        return line[(start < 0 ? line.IndexOf(' ') : start + 1)..].Trim().Split(' ')[0];
    }
}

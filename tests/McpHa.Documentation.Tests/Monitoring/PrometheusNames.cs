using System.Text.RegularExpressions;
using McpHa.Tests.Pages;

namespace McpHa.Tests.Monitoring;

/// <summary>Names that the metrics of docs/telemetry.md have in Prometheus text. That page names all metrics (TelemetryDocumentTests, MetricsTests).</summary>
internal static partial class PrometheusNames
{
    /// <summary>Metrics, with the endings of histograms.</summary>
    public static IReadOnlySet<string> All { get; } = Row().Matches(Page.Read("docs/telemetry.md"))
        .SelectMany(row => Names(row.Groups["name"].Value, row.Groups["kind"].Value, row.Groups["unit"].Value))
        .ToHashSet(StringComparer.Ordinal);

    /// <summary>Metrics of this library in an expression, or in Prometheus text.</summary>
    public static IEnumerable<string> In(string text) => Name().Matches(text).Select(match => match.Value).Where(name => !Labels.Contains(name)).Distinct();

    // Attributes of the metrics.
    private static readonly string[] Labels = ["mcp_ha_replica_id", "mcp_ha_replica_state", "mcp_ha_reason"];

    private static IEnumerable<string> Names(string metric, string kind, string unit)
    {
        var name = metric.Replace('.', '_') + unit switch { "s" => "_seconds", "By" => "_bytes", _ => "" };
        return kind switch
        {
            "counter" => [$"{name}_total"],
            "histogram" => [$"{name}_bucket", $"{name}_sum", $"{name}_count"],
            _ => [name],
        };
    }

    [GeneratedRegex(@"^\| `(?<name>mcp\.ha\.[\w.]+)` \| (?<kind>counter|up-down counter|gauge|histogram) \| `(?<unit>[^`]+)` \|", RegexOptions.Multiline)]
    private static partial Regex Row();

    [GeneratedRegex(@"\bmcp_ha_\w+")]
    private static partial Regex Name();
}

using System.Text.RegularExpressions;
using McpHa.Tests.Pages;

namespace McpHa.Tests;

/// <summary>What the page for operators tells them to look for is there to be seen.</summary>
[Trait("Category", "Quick")]
public sealed partial class OperationsPageTests
{
    private const string OperationsPage = "docs/operations.md";

    // That this page is complete and true is for TelemetryDocumentTests.
    [Fact]
    public void Every_metric_on_the_page_exists()
    {
        var telemetry = Page.Read("docs/telemetry.md");
        var metrics = Metric().Matches(Page.Read(OperationsPage)).Select(match => match.Value).ToArray();

        Assert.NotEmpty(metrics);
        Assert.DoesNotContain(metrics, metric => !telemetry.Contains($"| {metric} |", StringComparison.Ordinal));
    }

    [Fact]
    public void Every_line_of_the_log_on_the_page_is_written()
    {
        var messages = Directory.EnumerateDirectories(Page.Root)
            .SelectMany(folder => Directory.EnumerateFiles(folder, "*.cs", SearchOption.AllDirectories))
            .SelectMany(file => Message().Matches(File.ReadAllText(file)))
            .Select(match => Joint().Replace(match.Groups[1].Value, ""))
            .ToArray();
        var quoted = Page.Read(OperationsPage).Split('\n')
            .Where(line => line.StartsWith("*Seen*", StringComparison.Ordinal) || line.Contains("\"Drain", StringComparison.Ordinal))
            .SelectMany(line => Quotation().Matches(line))
            .Select(match => match.Groups[1].Value)
            .ToArray();

        Assert.NotEmpty(quoted);
        Assert.DoesNotContain(quoted, quotation => !messages.Any(message => Regex.IsMatch(message, string.Join(".+", quotation.Split('…').Select(Regex.Escape)))));
    }

    [GeneratedRegex(@"`mcp\.ha\.[\w.]+`")]
    private static partial Regex Metric();

    // A long message is written as several strings.
    [GeneratedRegex("Message = \"([^\"]+(?:\" \\+\\s+\"[^\"]+)*)\"")]
    private static partial Regex Message();

    [GeneratedRegex("\" \\+\\s+\"")]
    private static partial Regex Joint();

    [GeneratedRegex("\"([^\"]+)\"")]
    private static partial Regex Quotation();
}

using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Reflection;
using System.Text.RegularExpressions;
using Mcp.HighAvailability.Diagnostics;

namespace McpHa.Tests.Diagnostics;

/// <summary>docs/telemetry.md says exactly what there is.</summary>
[Collection(TracedAlone.Name)]
public sealed partial class TelemetryDocumentTests
{
    private static readonly string[] Lines = File.ReadAllLines(Find());

    [Fact]
    public async Task The_table_of_metrics_is_what_is_measured()
    {
        var made = new SortedSet<string>(StringComparer.Ordinal);
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, _) =>
            {
                if (instrument.Meter.Name == HighAvailabilityDiagnostics.MeterName)
                {
                    lock (made)
                        made.Add($"{instrument.Name} {KindOf(instrument)} {instrument.Unit} {instrument.Description!.TrimEnd('.')}");
                }
            },
        };
        listener.Start();
        await using var cluster = await InProcessCluster.StartAsync(replicas: 1);

        var told = Table("Metrics").Select(row => $"{Code(row[0])} {row[1]} {Code(row[2])} {row[3]}").Order(StringComparer.Ordinal);
        Assert.Equal(made, told);
    }

    [Fact]
    public void The_table_of_spans_names_all_of_them() =>
        Assert.Equal(Constants(typeof(SpanNames)), Table("Spans").Select(row => Code(row[0])).Order(StringComparer.Ordinal));

    [Fact]
    public void The_table_of_attributes_names_all_of_them() =>
        Assert.Equal(Constants(typeof(AttributeNames)), Table("Attributes").Select(row => Code(row[0])).Order(StringComparer.Ordinal));

    [Fact]
    public void The_table_of_log_fields_is_what_a_record_carries() =>
        Assert.Equal(new SessionScope("s", "r", 1).Select(field => field.Key), Table("Log fields").Select(row => Code(row[0])));

    [Fact]
    public async Task Every_span_has_only_attributes_that_its_row_names()
    {
        using var spans = new Spans();
        await using (var cluster = await InProcessCluster.StartAsync())
        {
            using var client = await cluster.ConnectAsync();
            using (var exchange = await client.PostAsync(cluster[1], client.Call("again", "x")))
            {
                await exchange.AnswerAsync();
                await cluster.CutOffAsync(cluster[0]);
                using var resumed = await client.GetAsync(cluster[1], exchange.LastId);
                Assert.NotEqual(System.Net.HttpStatusCode.NotFound, resumed.Status);
            }

            (await client.DeleteAsync(cluster[1])).Dispose();
            using var other = await cluster.ConnectAsync(1);
            await cluster[1].DrainAsync();
        }

        var rows = Table("Spans").ToDictionary(row => Code(row[0]), row => CodeInCell().Matches(row[3]).Select(match => match.Groups[1].Value).ToHashSet());
        var made = spans.All.Where(span => span.Source.Name == HighAvailabilityDiagnostics.ActivitySourceName).ToList();
        Assert.Equal(rows.Keys.Except(["resume"]).Order(), made.Select(span => span.OperationName).Where(name => name != "resume").Distinct().Order());
        Assert.All(made, span => Assert.Empty(span.TagObjects.Select(tag => tag.Key).Except(rows[span.OperationName])));
    }

    private static IEnumerable<string> Constants(Type names) => names
        .GetFields(BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic)
        .Select(field => (string)field.GetRawConstantValue()!)
        .Order(StringComparer.Ordinal);

    private static string KindOf(Instrument instrument)
    {
        var type = instrument.GetType().Name;
        return type.Contains("UpDownCounter", StringComparison.Ordinal) ? "up-down counter"
            : type.StartsWith("Counter", StringComparison.Ordinal) ? "counter"
            : type.StartsWith("Histogram", StringComparison.Ordinal) ? "histogram"
            : type;
    }

    // The rows of the first table below a heading.
    private static List<string[]> Table(string heading) =>
    [
        .. Lines.SkipWhile(line => line.TrimStart('#', ' ') != heading)
            .SkipWhile(line => !line.StartsWith('|'))
            .TakeWhile(line => line.StartsWith('|'))
            .Skip(2)
            .Select(line => line.Trim('|').Split('|').Select(cell => cell.Trim()).ToArray()),
    ];

    private static string Code(string cell) => cell.Trim('`');

    private static string Find()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            var file = Path.Combine(folder.FullName, "docs", "telemetry.md");
            if (File.Exists(file))
                return file;
        }

        throw new FileNotFoundException("docs/telemetry.md is in no folder above the tests.");
    }

    [GeneratedRegex("`([^`]+)`")]
    private static partial Regex CodeInCell();
}

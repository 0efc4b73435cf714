using System.Globalization;
using Mcp.HighAvailability.Lab.Bench.Server;
using Spectre.Console;

namespace Mcp.HighAvailability.Lab.Bench.Report;

/// <summary>The report for people.</summary>
internal static class BenchTable
{
    public static void Write(BenchReport report, IAnsiConsole console)
    {
        var machine = report.Machine;
        console.MarkupLineInterpolated($"{machine.Processor}, {machine.Processors} processors, {machine.OperatingSystem}, {machine.Runtime}, Redis {machine.Redis}, {machine.Build}, load average at the start {machine.LoadAverage}");
        if (report.Load.Count > 0)
            console.Write(Load(report));
        if (report.Ratios.Count > 0)
            console.Write(Ratios(report));
        foreach (var (kind, memory) in report.Memory)
            console.MarkupLineInterpolated(CultureInfo.InvariantCulture, $"managed memory per idle session, {(kind == ServerKind.Ha ? "this library" : "SDK transport")}: {memory.IdleBytes / 1024:0.0} KB, with an open GET stream {memory.StreamingBytes / 1024:0.0} KB ({memory.Sessions} sessions)");
        if (report.Redis is { } redis)
            console.MarkupLineInterpolated(CultureInfo.InvariantCulture, $"Redis commands per echo: {redis.SentPerCall:0.000} sent, {redis.ProcessedPerCall:0.000} run, those inside scripts included");
        if (report.Failover is { } failover)
            console.MarkupLineInterpolated(CultureInfo.InvariantCulture, $"kill -9 of the owner to the next event at the client, {failover.Kills} kills: p50 {failover.P50Milliseconds:0.0} ms{(failover.P99Milliseconds is { } p99 ? FormattableString.Invariant($", p99 {p99:0.0} ms") : "")}, max {failover.MaxMilliseconds:0.0} ms");
        if (report.Targets.Count > 0)
            console.Write(Targets(report));
    }

    private static Table Load(BenchReport report)
    {
        var table = Table("echo", "conns", "calls/s", "p50 ms", "p99 ms", "CPU µs/call: server", "proxy", "Redis", "commits/call", "bytes/call", "other load, cores");
        foreach (var connections in report.Load.SelectMany(subject => subject.Connections.Keys).Distinct())
        {
            foreach (var subject in report.Load)
            {
                var turn = subject.Connections[connections].Median;
                Add(
                    table, $"({subject.Key}) {subject.Title}", $"{connections}", $"{turn.CallsPerSecond:N0}", $"{turn.P50Milliseconds:0.00}", $"{turn.P99Milliseconds:0.00}",
                    $"{turn.ServerMicrosecondsPerCall:0}", Optional(turn.ProxyMicrosecondsPerCall), Optional(turn.RedisMicrosecondsPerCall),
                    Decimals(turn.ScriptsPerCall), $"{turn.ServerBytesPerCall:N0}", $"{turn.OtherCores:0.0}");
            }
        }

        return table;

        static FormattableString Decimals(double value) => value == 0 ? (FormattableString)$"" : $"{value:0.00}";

        static FormattableString Optional(double value) => value == 0 ? (FormattableString)$"" : $"{value:0}";
    }

    private static Table Ratios(BenchReport report)
    {
        var table = Table("calls/s as a share, paired per round", "conns", "median", "lowest", "highest");
        foreach (var ratio in report.Ratios)
            Add(table, $"{ratio.Name}", $"{ratio.Connections}", $"{ratio.Median:0.00}", $"{ratio.Low:0.00}", $"{ratio.High:0.00}");
        return table;
    }

    private static Table Targets(BenchReport report)
    {
        var table = Table("target", "wanted", "measured", "");
        foreach (var target in report.Targets)
            Add(table, $"{target.Name}", $"{target.Wanted}", $"{target.Measured:0.##} {target.Unit}", $"{(target.Reached ? "reached" : "not reached")}");
        return table;
    }

    private static Table Table(params string[] columns)
    {
        var table = new Table { Border = TableBorder.Simple };
        foreach (var column in columns)
            table.AddColumn(new TableColumn(column) { NoWrap = true, Alignment = column == columns[0] ? Justify.Left : Justify.Right });
        return table;
    }

    private static void Add(Table table, params FormattableString[] cells) =>
        table.AddRow([.. cells.Select(cell => Markup.Escape(cell.ToString(CultureInfo.InvariantCulture)))]);
}

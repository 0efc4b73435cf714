using System.Globalization;
using Mcp.HighAvailability.Lab.Bench.Load;
using Mcp.HighAvailability.Lab.Bench.Server;
using Spectre.Console;

namespace Mcp.HighAvailability.Lab.Bench.Report;

/// <summary>The report for people.</summary>
internal static class BenchTable
{
    public static void Write(BenchReport report, IAnsiConsole console)
    {
        var machine = report.Machine;
        console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{machine.Processor}, {machine.Processors} processors, {machine.OperatingSystem}, {machine.Runtime}, Redis {machine.Redis}, {machine.Build}, " +
            $"load average at the start {machine.LoadAverage}"));
        if (report.Load.Count > 0)
            console.Write(Load(report));
        if (report.Ratios.Count > 0)
            console.Write(Ratios(report));
        foreach (var (kind, memory) in report.Memory)
            console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"managed memory per idle session, {(kind == ServerKind.Ha ? "replica" : "SDK")}: {memory.IdleBytes / 1024:0.0} KB, with an open GET " +
                $"stream {memory.StreamingBytes / 1024:0.0} KB ({memory.Sessions} sessions)"));
        if (report.Tasks is { } tasks)
        {
            Write($"tasks created and completed, {tasks.Clients} clients", tasks.Whole, console);
            Write("polls of a task", tasks.Poll, console);
        }

        foreach (var failure in report.Failures)
            console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{failure.Name}: {failure.Title}, {failure.Losses} times. Silence at the client: p50 {failure.P50Milliseconds:0} ms, p99 " +
                $"{failure.P99Milliseconds:0} ms, max {failure.MaxMilliseconds:0} ms"));
        if (report.Streams is { } streams)
            Write(streams, console);
        if (report.Targets.Count > 0)
            console.Write(Targets(report));
    }

    private static void Write(string what, TaskFigures figures, IAnsiConsole console) => console.WriteLine(string.Create(CultureInfo.InvariantCulture,
        $"{what}: {figures.PerSecond:N0}/s, p50 {figures.P50Milliseconds:0.0} ms, p99 {figures.P99Milliseconds:0.0} ms, {figures.Requests:0.0} requests; " +
        $"CPU µs each: replica {figures.ServerMicroseconds:0}, Redis {figures.RedisMicroseconds:0}; {figures.StoreCommands:0.0} store commands; " +
        $"other load {figures.OtherCores:0.0} cores"));

    private static void Write(StreamReport streams, IAnsiConsole console)
    {
        console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{streams.Streams} streams through one balancer, opened in {streams.OpenSeconds:0.0} s: {streams.Refused} refused, " +
            $"{streams.FalseTakeOvers:0} sessions taken from living replicas, {streams.FailedAttempts:0} failed attempts of the balancer"));
        console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"balancer memory per stream {streams.BalancerBytesPerStream / 1024:0.0} KB; CPU of the idle cluster {streams.IdleCpuPercent:0.0} % of a " +
            $"core, without streams {streams.EmptyCpuPercent:0.0} %"));
        console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"broadcast to all of them: p50 {streams.BroadcastP50Milliseconds:0} ms, p99 {streams.BroadcastP99Milliseconds:0} ms, " +
            $"{streams.StoreCommandsPerBroadcast:0} store commands"));
        console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"kill -9 of the replica of {streams.StreamsOfKilled}: silence p50 {streams.SilenceP50Milliseconds:0} ms, p99 " +
            $"{streams.SilenceP99Milliseconds:0} ms, max {streams.SilenceMaxMilliseconds:0} ms; {streams.Lost} events lost, {streams.Doubled} doubled"));
    }

    private static Table Load(BenchReport report)
    {
        var table = Table("subject", "calls", "conns", "calls/s", "p50 ms", "p99 ms", "CPU µs/call: server", "proxy", "Redis", "client", "store commands/call",
            "bytes/call", "other load, cores");
        var rows = from subject in report.Load
                   from load in subject.Loads
                   orderby load.Connections descending, load.Kind
                   select (subject, load);
        foreach (var (subject, load) in rows)
        {
            var turn = load.Median;
            Add(
                table, $"{subject.Key}: {subject.Title}", $"{load.Kind.Text()}", $"{load.Connections}", $"{turn.CallsPerSecond:N0}",
                $"{turn.P50Milliseconds:0.00}", $"{turn.P99Milliseconds:0.00}",
                $"{turn.ServerMicrosecondsPerCall:0}", Optional(turn.ProxyMicrosecondsPerCall), Optional(turn.RedisMicrosecondsPerCall),
                Optional(turn.LoadGeneratorMicrosecondsPerCall),
                $"{turn.StoreCommandsPerCall:0.0}", $"{turn.ServerBytesPerCall:N0}", $"{turn.OtherCores:0.0}");
        }

        return table;

        static FormattableString Optional(double value) => value == 0 ? (FormattableString)$"" : $"{value:0}";
    }

    private static Table Ratios(BenchReport report)
    {
        var table = Table("ratio, paired per round", "conns", "median", "lowest", "highest");
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

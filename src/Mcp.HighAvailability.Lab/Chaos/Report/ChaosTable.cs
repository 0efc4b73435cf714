using System.Globalization;
using Mcp.HighAvailability.Lab.Chaos.Check;
using Spectre.Console;

namespace Mcp.HighAvailability.Lab.Chaos.Report;

/// <summary>The report for the terminal.</summary>
internal static class ChaosTable
{
    private const int ViolationsShown = 20;
    private const int LinesAround = 40;

    public static void Write(ChaosReport report) => Write(report, Wide());

    public static void Write(ChaosReport report, IAnsiConsole console)
    {
        console.WriteLine();
        console.Write(Faults(report));
        console.Write(Calls(report.Counts));
        console.Write(Findings(report.Counts));
        Violations(report, console);
        console.WriteLine(Summary(report));
    }

    /// <summary>The last line.</summary>
    public static string Summary(ChaosReport report)
    {
        var found = report.Violations.Count + report.Troubles.Count;
        var result = found > 0
            ? $"{found} {(found == 1 ? "VIOLATION" : "VIOLATIONS")} of the promise; logs of all processes: {Path.Combine(report.Settings.Folder, "logs")}"
            : report.Interrupted ? "ended early, no violation so far"
            : report.NotTried.Count == 0 ? "every promise held"
            : $"every promise held under the faults that were tried; not tried: {string.Join("; ", report.NotTried)}";
        return string.Create(
            CultureInfo.InvariantCulture,
            $"seed {report.Settings.Seed}: {report.Faults.Count} faults, {report.Counts.Calls} calls in {report.Counts.Sessions} sessions, " +
                $"{report.ElapsedSeconds:0} s: {result}");
    }

    private static Table Faults(ChaosReport report)
    {
        var table = Table("faults", "injected", "pauses", "p50 ms", "p99 ms", "max ms", "with a call running", "p50 ms", "p99 ms", "max ms", "not hit",
            "p50 ms", "p99 ms");
        foreach (var kind in report.Kinds)
        {
            var (all, running, elsewhere) = (kind.Pauses, kind.PausesWhileRunning, kind.Elsewhere);
            Add(
                table, $"{kind.Name}", $"{kind.Injected}", $"{all.N}", $"{Ms(all, all.P50)}", $"{Ms(all, all.P99)}", $"{Ms(all, all.Max)}",
                $"{running.N}", $"{Ms(running, running.P50)}", $"{Ms(running, running.P99)}", $"{Ms(running, running.Max)}",
                $"{elsewhere.N}", $"{Ms(elsewhere, elsewhere.P50)}", $"{Ms(elsewhere, elsewhere.P99)}");
        }

        return table;
    }

    /// <summary>A figure, where one was measured.</summary>
    public static string Ms(PauseFigures figures, double? value) => figures.N == 0 ? "" : value?.ToString("0", CultureInfo.InvariantCulture) ?? "";

    private static Table Calls(Counts counts)
    {
        var table = Table("calls", "number");
        foreach (var (tool, number) in counts.CallsByTool.OrderBy(tool => tool.Key, StringComparer.Ordinal))
            Add(table, $"{tool}", $"{number}");
        Add(table, $"all", $"{counts.Calls}");
        Add(table, $"cancelled", $"{counts.Cancelled}");
        foreach (var (error, number) in counts.Errors.OrderBy(error => error.Key, StringComparer.Ordinal))
            Add(table, $"error: {error}", $"{number}");
        Add(table, $"errors that are promised (\"may have run\")", $"{counts.PromisedErrors}");
        Add(table, $"tasks", $"{counts.Tasks}");
        Add(table, $"tasks that ended", $"{counts.TasksEnded}");
        Add(table, $"requests repeated at another endpoint", $"{counts.Repeated}");
        Add(table, $"progress steps", $"{counts.Steps}");
        Add(table, $"questions", $"{counts.Questions}");
        Add(table, $"announcements", $"{counts.Announcements}");
        Add(table, $"deliveries", $"{counts.Deliveries}");
        return table;
    }

    private static Table Findings(Counts counts)
    {
        var table = Table("found", "number");
        Add(table, $"lost", $"{counts.Lost}");
        Add(table, $"doubled", $"{counts.Doubled}");
        Add(table, $"out of order", $"{counts.OutOfOrder}");
        Add(table, $"sessions lost", $"{counts.SessionsLost}");
        Add(table, $"hung", $"{counts.Hung}");
        return table;
    }

    private static void Violations(ChaosReport report, IAnsiConsole console)
    {
        foreach (var trouble in report.Troubles)
            console.WriteLine($"NOT RECOVERED {trouble}");
        for (var i = 0; i < Math.Min(report.Violations.Count, ViolationsShown); i++)
        {
            var violation = report.Violations[i];
            console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"VIOLATION {violation.Kind} at {violation.AtSeconds:0.000} s: {violation.Text}"));

            // The first with the history around it: what follows is often its consequence, and the files have it all.
            foreach (var line in i == 0 ? violation.Around.Take(LinesAround) : [])
                console.WriteLine($"  {line}");
        }

        if (report.Violations.Count > ViolationsShown)
            console.WriteLine($"and {report.Violations.Count - ViolationsShown} more: --json and --html have them all.");
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

    // Into a file or a pipe, a row stays on one line.
    private static IAnsiConsole Wide()
    {
        var console = AnsiConsole.Create(new AnsiConsoleSettings());
        if (Console.IsOutputRedirected)
            console.Profile.Width = 400;
        return console;
    }
}

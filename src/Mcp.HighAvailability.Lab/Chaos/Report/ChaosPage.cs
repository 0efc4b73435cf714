using Mcp.HighAvailability.Lab.Chaos.Check;
using Mcp.HighAvailability.Lab.Chaos.History;

namespace Mcp.HighAvailability.Lab.Chaos.Report;

/// <summary>The report for people: one page that needs nothing else, neither scripts nor a network.</summary>
internal static class ChaosPage
{
    private const int ViolationsShown = 200;

    public static void Write(string file, ChaosReport report, IReadOnlyList<HistoryEvent> events)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        File.WriteAllText(file, Render(report, events));
    }

    /// <summary>The page: what is wrong first.</summary>
    public static string Render(ChaosReport report, IReadOnlyList<HistoryEvent> events)
    {
        var html = new Html()
            .Raw("<!DOCTYPE html>")
            .Raw("<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">")
            .Raw("<meta name=\"color-scheme\" content=\"light dark\">")
            .Add($"<title>chaos, seed {report.Settings.Seed}: {Verdict(report)}</title>")
            .Raw($"<style>{ChaosStyle.Sheet}</style></head><body>")
            .Add($"<h1 class=\"{(report.Holds ? "good" : "bad")}\">{Verdict(report)}</h1>")
            .Add($"<p>{ChaosTable.Summary(report)}</p>");
        Violations(html, report);
        Timeline.Draw(html, report, events);
        Pauses(html, report);
        Counts(html, report);
        Run(html, report);
        return html.Raw("</body></html>").ToString();
    }

    private static string Verdict(ChaosReport report) =>
        !report.Holds ? $"{report.Violations.Count + report.Troubles.Count} violations" : report.Interrupted ? "Ended early"
        : report.NotTried.Count == 0 ? "Every promise held" : "Every promise held under the faults that were tried";

    private static void Violations(Html html, ChaosReport report)
    {
        foreach (var trouble in report.Troubles)
            html.Add($"<p class=\"bad\">Not recovered: {trouble}</p>");
        if (report.Violations.Count == 0)
            return;

        html.Raw("<h2>Violations</h2>");
        var first = true;
        foreach (var violation in report.Violations.Take(ViolationsShown))
        {
            html.Raw(first ? "<details open>" : "<details>")
                .Add($"<summary><b>{violation.Kind.ToString()}</b> at {violation.AtSeconds:0.000} s: {violation.Text}")
                .Add($"{(violation.Session is null ? "" : $" — session {violation.Session}")}</summary>")
                .Add($"<pre>{string.Join('\n', violation.Around)}</pre></details>");
            first = false;
        }

        if (report.Violations.Count > ViolationsShown)
            html.Add($"<p>And {report.Violations.Count - ViolationsShown} more, which --json has.</p>");
    }

    private static void Pauses(Html html, ChaosReport report)
    {
        html.Raw("<h2>Faults and what clients noticed</h2>")
            .Raw("<table><tr><th>fault</th><th>injected</th><th>pauses</th><th>p50 ms</th><th>p99 ms</th><th>max ms</th>")
            .Raw("<th>with a call running</th><th>p50 ms</th><th>p99 ms</th><th>max ms</th><th>not hit</th><th>p50 ms</th><th>p99 ms</th><th>max ms</th></tr>");
        foreach (var kind in report.Kinds)
        {
            html.Add($"<tr><td><i class=\"{kind.Kind}\"></i> {kind.Name}</td><td>{kind.Injected}</td>");
            foreach (var figures in (PauseFigures[])[kind.Pauses, kind.PausesWhileRunning, kind.Elsewhere])
                html.Add($"<td>{figures.N}</td><td>{ChaosTable.Ms(figures, figures.P50)}</td>")
                    .Add($"<td>{ChaosTable.Ms(figures, figures.P99)}</td><td>{ChaosTable.Ms(figures, figures.Max)}</td>");
            html.Raw("</tr>");
        }

        html.Raw("</table>");
        if (report.NotTried.Count > 0)
            html.Add($"<p>Not tried: {string.Join("; ", report.NotTried)}.</p>");
    }

    private static void Counts(Html html, ChaosReport report)
    {
        var counts = report.Counts;
        html.Raw("<h2>Calls</h2><table>");
        foreach (var (tool, number) in counts.CallsByTool.OrderBy(tool => tool.Key, StringComparer.Ordinal))
            Row(tool, number);
        Row("all", counts.Calls);
        Row("cancelled", counts.Cancelled);
        foreach (var (error, number) in counts.Errors.OrderBy(error => error.Key, StringComparer.Ordinal))
            Row($"error: {error}", number);
        Row("errors that are promised (“may have run”)", counts.PromisedErrors);
        Row("requests repeated at another endpoint", counts.Repeated);
        Row("progress steps", counts.Steps);
        Row("questions", counts.Questions);
        Row("announcements", counts.Announcements);
        Row("deliveries", counts.Deliveries);
        html.Raw("</table><h2>Found</h2><table>");
        Row("lost", counts.Lost);
        Row("doubled", counts.Doubled);
        Row("out of order", counts.OutOfOrder);
        Row("sessions lost", counts.SessionsLost);
        Row("hung", counts.Hung);
        html.Raw("</table>");

        void Row(string what, int number) => html.Add($"<tr><td>{what}</td><td>{number}</td></tr>");
    }

    private static void Run(Html html, ChaosReport report)
    {
        var settings = report.Settings;
        html.Raw("<h2>The run</h2>")
            .Add($"<p>{report.Started.UtcDateTime:yyyy-MM-dd HH:mm} UTC, {report.ElapsedSeconds:0} s; seed {settings.Seed};")
            .Add($"{settings.Sessions} C# and {settings.TypeScript} TypeScript sessions;");
        if (settings.Server is not null)
            html.Add($"the server at {settings.Server}, which the run did not start.</p>");
        else
            html.Add($"{settings.Replicas} replicas, {(settings.Direct ? "behind nginx" : $"{settings.Balancers} balancers")}")
                .Add($"{(settings.Project is null ? "" : $", server {settings.Project}")}")
                .Add($"{(settings.Mutation is null ? "" : $", without the safeguard {settings.Mutation}")}. Logs: {settings.Folder}</p>");

        html.Raw("<details><summary>All faults</summary><table><tr><th>number</th><th>began</th><th>whole again</th><th>what</th></tr>");
        foreach (var fault in report.Faults)
        {
            html.Add($"<tr><td>{fault.Number}</td><td>{fault.BeganSeconds:0.0} s</td>")
                .Add($"<td>{(fault.EndedSeconds is { } ended ? FormattableString.Invariant($"{ended:0.0} s") : "never")}</td>")
                .Add($"<td class=\"text\"><i class=\"{fault.Kind}\"></i> {fault.Text}</td></tr>");
        }

        html.Raw("</table></details>");
    }
}

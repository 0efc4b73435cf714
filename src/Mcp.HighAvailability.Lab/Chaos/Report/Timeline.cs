using Mcp.HighAvailability.Lab.Chaos.History;

namespace Mcp.HighAvailability.Lab.Chaos.Report;

/// <summary>
/// The run as a picture: calls per second, then a lane of faults for each process, then a thin band for each session with the pauses that its client
/// saw. Whatever is at the same place from left to right happened at the same time.
/// </summary>
internal sealed class Timeline
{
    private const int Margin = 90;
    private const int CallsHeight = 60;
    private const int LaneHeight = 18;
    private const int MaxBars = 1_500;

    private readonly Html _html;
    private readonly ChaosReport _report;
    private readonly double _seconds;
    private readonly double _scale;
    private int _y = 20;

    private Timeline(Html html, ChaosReport report)
    {
        _html = html;
        _report = report;
        _seconds = Math.Max(report.ElapsedSeconds, 1);
        _scale = Math.Clamp(_seconds * 6, 1_000, 12_000) / _seconds;
    }

    public static void Draw(Html html, ChaosReport report, IReadOnlyList<HistoryEvent> events)
    {
        var targets = report.Faults.SelectMany(fault => fault.Targets).Distinct().Order(StringComparer.Ordinal).ToList();
        var sessions = events.OfType<SessionOpened>().Select(opened => opened.Session).Distinct().ToList();
        var band = Math.Clamp(400 / Math.Max(sessions.Count, 1), 3, 12);
        var timeline = new Timeline(html, report);
        var width = Margin + (timeline._seconds * timeline._scale) + 20;
        var height = timeline._y + CallsHeight + 10 + (targets.Count * LaneHeight) + 20 + (sessions.Count * band) + 10;

        html.Raw("<h2>Timeline</h2><p>")
            .Raw(string.Join(" ", report.Kinds.Select(kind => kind.Kind).Distinct().Select(kind => $"<i class=\"{kind}\"></i> {kind}")))
            .Raw("</p><div class=\"timeline\">")
            .Add($"<svg width=\"{width:0}\" height=\"{height}\" role=\"img\" aria-label=\"Calls, faults and pauses over time\">");
        timeline.Axis(height);
        timeline.Calls(events);
        timeline.Faults(targets);
        timeline.Pauses(sessions, band);
        timeline.Violations(height);
        html.Raw("</svg></div>")
            .Raw("<p>Top: calls that ended, errors in red. Middle: faults, until the cluster was whole again. Below: a band for each session, with the " +
                "pauses that its client saw. Hover for details.</p>");
    }

    private double X(double seconds) => Margin + (seconds * _scale);

    private void Axis(int height)
    {
        var step = _seconds switch { < 60 => 5, < 300 => 15, < 1_200 => 60, _ => 300 };
        for (var at = 0; at <= _seconds; at += step)
        {
            _html.Add($"<line x1=\"{X(at):0.#}\" y1=\"16\" x2=\"{X(at):0.#}\" y2=\"{height}\"/>")
                .Add($"<text x=\"{X(at) + 2:0.#}\" y=\"12\">{at / 60}:{at % 60:00}</text>");
        }
    }

    private void Calls(IReadOnlyList<HistoryEvent> events)
    {
        var width = Math.Max(1, _seconds / MaxBars);
        var bars = events.OfType<CallEnded>()
            .GroupBy(call => (int)(call.At.TotalSeconds / width))
            .Select(bar => (bar.Key, All: bar.Count(), Errors: bar.Count(call => call.Outcome.Kind is not (OutcomeKind.Result or OutcomeKind.Cancelled))))
            .ToList();
        var most = bars.Count == 0 ? 1 : bars.Max(bar => bar.All);
        _html.Add($"<text x=\"4\" y=\"{_y + 12}\">calls, {most / width:0}/s</text>");
        foreach (var (key, all, errors) in bars)
        {
            Bar("call", all, $"{all} calls, {errors} errors");
            if (errors > 0)
                Bar("error", errors, $"{errors} errors");

            void Bar(string name, int count, string title)
            {
                var height = Math.Max(1, (double)CallsHeight * count / most);
                _html.Add($"<rect class=\"{name}\" x=\"{X(key * width):0.#}\" y=\"{_y + CallsHeight - height:0.#}\"")
                    .Add($" width=\"{Math.Max(0.8, (width * _scale) - 0.5):0.#}\" height=\"{height:0.#}\"><title>{title}</title></rect>");
            }
        }

        _y += CallsHeight + 10;
    }

    private void Faults(IReadOnlyList<string> targets)
    {
        foreach (var target in targets)
        {
            _html.Add($"<text x=\"4\" y=\"{_y + 12}\">{target}</text>");
            foreach (var fault in _report.Faults.Where(fault => fault.Targets.Contains(target)))
            {
                var end = fault.EndedSeconds ?? _seconds;
                Rect(fault.Kind, fault.BeganSeconds, end, _y + 2, LaneHeight - 4,
                    FormattableString.Invariant($"{fault.Number}: {fault.Text}, {end - fault.BeganSeconds:0.0} s until whole again"));
            }

            _y += LaneHeight;
        }

        _y += 20;
    }

    private void Pauses(IReadOnlyList<string> sessions, int band)
    {
        if (sessions.Count > 0)
            _html.Add($"<text x=\"4\" y=\"{_y + 10}\">{sessions.Count} sessions</text>");
        var pauses = _report.Pauses.ToLookup(pause => pause.Session);
        foreach (var session in sessions)
        {
            foreach (var pause in pauses[session])
            {
                Rect(
                    pause.Kind, pause.AtSeconds, pause.AtSeconds + (pause.Milliseconds / 1000), _y, band - 1,
                    FormattableString.Invariant($"{session}: {pause.Milliseconds:0} ms, fault {pause.Fault} ({pause.Kind})"));
            }

            _y += band;
        }
    }

    private void Violations(int height)
    {
        foreach (var violation in _report.Violations)
            _html.Add($"<line class=\"violation\" x1=\"{X(violation.AtSeconds):0.#}\" y1=\"16\"")
                .Add($" x2=\"{X(violation.AtSeconds):0.#}\" y2=\"{height}\"><title>{violation.Text}</title></line>");
    }

    private void Rect(string kind, double from, double to, int y, int height, string title) =>
        _html.Add($"<rect class=\"{kind}\" x=\"{X(from):0.#}\" y=\"{y}\"")
            .Add($" width=\"{Math.Max(1.5, (to - from) * _scale):0.#}\" height=\"{height}\"><title>{title}</title></rect>");
}

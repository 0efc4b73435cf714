using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Mcp.HighAvailability.Lab.Chaos;
using Mcp.HighAvailability.Lab.Chaos.Check;
using Mcp.HighAvailability.Lab.Chaos.Faults;
using Mcp.HighAvailability.Lab.Chaos.History;
using Mcp.HighAvailability.Lab.Chaos.Report;
using Spectre.Console;

namespace McpHa.Tests.Chaos;

/// <summary>The reports of a run that never was.</summary>
[Trait("Category", "Quick")]
public sealed class ReportTests
{
    private const string Nasty = "</title><script>alert('x')</script> {0} [red]\"&";

    [Fact]
    public void The_page_needs_nothing_else_and_takes_no_markup_from_outside()
    {
        var (report, events) = Made(broken: true);

        var page = ChaosPage.Render(report, events);

        Assert.DoesNotContain("<script", page, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotMatch(new Regex(@"\b(src|href)=|@import|url\("), page);
        Assert.Contains("&lt;script&gt;alert(&#39;x&#39;)", page, StringComparison.Ordinal);
        Assert.Contains("prefers-color-scheme: dark", page, StringComparison.Ordinal);
        AssertBalanced(page);
    }

    [Fact]
    public void The_page_says_first_what_is_wrong()
    {
        var (report, events) = Made(broken: true);

        var page = ChaosPage.Render(report, events);

        Assert.Contains("<h1 class=\"bad\">2 violations</h1>", page, StringComparison.Ordinal);
        Assert.InRange(page.IndexOf("a note was lost", StringComparison.Ordinal), 1, page.IndexOf("<svg", StringComparison.Ordinal));
    }

    [Fact]
    public void The_timeline_has_every_fault_in_the_lane_of_its_victim_and_every_pause()
    {
        var (report, events) = Made(broken: false);

        var page = ChaosPage.Render(report, events);

        Assert.Contains("Every promise held", page, StringComparison.Ordinal);
        Assert.Contains("<rect class=\"kill\"", page, StringComparison.Ordinal);
        Assert.Contains(">server2</text>", page, StringComparison.Ordinal);
        Assert.Contains("42 ms, fault 1 (kill)", page, StringComparison.Ordinal);
        Assert.Contains("2 calls, 1 errors", page, StringComparison.Ordinal);
    }

    [Fact]
    public void The_file_for_machines_has_it_all()
    {
        var (report, _) = Made(broken: true);
        var file = Path.GetTempFileName();
        try
        {
            report.WriteTo(file);
            var json = JsonNode.Parse(File.ReadAllText(file))!;

            Assert.False((bool)json["holds"]!);
            Assert.Equal(77, (int)json["settings"]!["seed"]!);
            Assert.Equal("Lost", (string)json["violations"]![0]!["kind"]!);
            Assert.NotEmpty(json["violations"]![0]!["around"]!.AsArray());
            Assert.Equal(1, (int)json["kinds"]!.AsArray().Single(kind => (string)kind!["kind"]! == "kill" && kind["form"] is null)!["injected"]!);
            Assert.Equal(42, (double)json["pauses"]![0]!["milliseconds"]!);
            Assert.Equal(1, (int)json["counts"]!["lost"]!);
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Fact]
    public void The_terminal_shows_the_first_violation_with_its_history_and_where_the_logs_are()
    {
        var (report, _) = Made(broken: true);
        var output = new StringWriter();
        var console = AnsiConsole.Create(new AnsiConsoleSettings { Ansi = AnsiSupport.No, Out = new AnsiConsoleOutput(output) });
        console.Profile.Width = 400;

        ChaosTable.Write(report, console);

        Assert.Contains("VIOLATION Lost at 2.500 s: a note was lost", output.ToString(), StringComparison.Ordinal);
        Assert.Contains("FAULT 1: kill -9 of server2", output.ToString(), StringComparison.Ordinal);
        Assert.Contains(Path.Combine("/runs/1", "logs"), output.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Kinds_that_were_not_tried_are_named_and_not_said_to_hold()
    {
        var (report, events) = Made(broken: false);

        Assert.Equal("kill", Assert.Single(report.Kinds).Name);
        Assert.Contains("kill, all at once", report.NotTried);
        Assert.Contains("redis-wipe", report.NotTried);
        Assert.EndsWith("redis-outage; cut; balancer", ChaosTable.Summary(report), StringComparison.Ordinal);
        Assert.Contains("Not tried: kill, all at once;", ChaosPage.Render(report, events), StringComparison.Ordinal);
    }

    private static void AssertBalanced(string page)
    {
        foreach (var tag in (string[])["table", "details", "svg", "pre", "p", "text", "title", "style", "body"])
            Assert.Equal(Regex.Count(page, $"<{tag}[ >]"), Regex.Count(page, $"</{tag}>"));
    }

    private static (ChaosReport Report, IReadOnlyList<HistoryEvent> Events) Made(bool broken)
    {
        List<HistoryEvent> events =
        [
            new SessionOpened(At(0.1), "s1", "C#", "2025-11-25"),
            new FaultBegan(At(1), 1, FaultKind.Kill, "kill -9 of server2-ab12", ["s1"]),
            new CallBegun(At(1.1), "s1", 1, "echo", new JsonObject { ["text"] = Nasty }, new Expectation(true, TimeSpan.Zero)),
            new CallEnded(At(1.2), "s1", 1, new CallOutcome(OutcomeKind.Result, Nasty)),
            new CallEnded(At(1.3), "s1", 2, new CallOutcome(OutcomeKind.RpcError, Nasty, Code: -32603)),
            new FaultEnded(At(2), 1),
        ];
        var counts = new Counts(
            Sessions: 1, Calls: 2, CallsByTool: new Dictionary<string, int> { ["echo"] = 2 }, Errors: new Dictionary<string, int> { [Nasty] = 1 },
            PromisedErrors: 0, Cancelled: 0, Tasks: 0, TasksEnded: 0, Repeated: 0, Steps: 0, Questions: 0, Announcements: 0, Deliveries: 0,
            Lost: broken ? 1 : 0, Doubled: 0, OutOfOrder: 0, SessionsLost: 0, Hung: 0);
        List<Violation> violations = broken ? [new(ViolationKind.Lost, At(2.5), "s1", 1, $"a note was lost {Nasty}", events)] : [];
        var verdict = new Verdict(violations, counts, [new Pause(1, FaultKind.Kill, "s1", At(1.1), TimeSpan.FromMilliseconds(42))], []);
        FaultRecord[] faults = [new(1, FaultKind.Kill, FaultForm.Killed, $"kill -9 of server2-ab12 {Nasty}", ["server2"], At(1)) { Ended = At(2) }];
        var options = new ChaosOptions
        {
            Replicas = 3, Balancers = 2, Sessions = 1, TypeScript = 0, Rate = 120, Duration = null, Faults = 1, Seed = 77, Kinds = Enum.GetValues<FaultKind>(),
            Spacing = TimeSpan.FromSeconds(1), Direct = false, Server = null, Project = null, Workload = null, Mutation = null, JsonFile = null, HtmlFile = null,
            EndWithParent = false, Folder = "/runs/1",
        };
        return (ChaosReport.Of(options, new HistoryLog(), verdict, faults, broken ? [$"server1 {Nasty}"] : [], interrupted: false), events);
    }

    private static TimeSpan At(double seconds) => TimeSpan.FromSeconds(seconds);
}

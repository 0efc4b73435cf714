using Microsoft.Playwright;
using static Microsoft.Playwright.Assertions;

namespace McpHa.Tests.Browser.Dashboard;

/// <summary>The Aspire dashboard shows how a session was taken over.</summary>
public sealed class DashboardTests(BrowserFixture browser, FailoverStory story) : IClassFixture<BrowserFixture>, IClassFixture<FailoverStory>
{
    [Fact]
    public async Task The_traces_page_finds_a_session_by_its_id()
    {
        var dashboard = await OpenAsync();
        await dashboard.FindSessionAsync(story.Session);

        await Expect(dashboard.Row("session create")).ToContainTextAsync(FailoverStory.Resource(story.First));
        await Expect(dashboard.Row("session create")).ToContainTextAsync("balancer");
        await Expect(dashboard.Row("balancer1: tools/call countdown")).ToBeVisibleAsync();
        await Expect(dashboard.Rows("/status")).ToHaveCountAsync(0);
        await dashboard.Page.KeepAsync("dashboard-traces");
    }

    [Fact]
    public async Task The_sessions_trace_has_both_replicas_and_the_balancer_with_the_take_over_between_them()
    {
        var dashboard = await OpenAsync();
        await dashboard.OpenSessionAsync(story.Session);

        await Expect(dashboard.Row("session create", FailoverStory.Resource(story.First))).ToBeVisibleAsync();
        await Expect(dashboard.Row("resume", "balancer")).ToBeVisibleAsync();
        await Expect(dashboard.Row("take over (owner lost)", FailoverStory.Resource(story.Second))).ToBeVisibleAsync();
        await dashboard.Row("take over").ClickAsync();
        var span = dashboard.Section("mcp.ha.reason");
        foreach (var value in (string[])[story.First, story.Second, "owner-lost", "mcp.ha.calls.rerun", "mcp.ha.events.replayed", "mcp.ha.takeover.duration"])
            await Expect(span).ToContainTextAsync(value);
        await dashboard.Page.KeepAsync("dashboard-session");
    }

    [Fact]
    public async Task A_link_leads_from_the_sessions_trace_to_the_calls_own_with_both_attempts()
    {
        var dashboard = await OpenAsync();

        // The client's GET stream went on as well, with a span and a trace of its own.
        await dashboard.FollowLinksUntilVisibleAsync(story.Session, "resume", dashboard.Row("tools/call countdown"));

        // The dashboard calls the attempts by what they were.
        await Expect(dashboard.Row("HTTP POST 200", "balancer")).ToBeVisibleAsync();
        await Expect(dashboard.Row("HTTP GET 200", "balancer")).ToBeVisibleAsync();
        await Expect(dashboard.Row("tools/call countdown", FailoverStory.Resource(story.Second))).ToBeVisibleAsync();
        await dashboard.Page.KeepAsync("dashboard-call");
        await dashboard.Row("HTTP POST 200", "balancer").ClickAsync();
        var failedOver = dashboard.Section("mcp.ha.failed_over");
        await Expect(failedOver).ToContainTextAsync(story.First);
        await Expect(failedOver).Not.ToContainTextAsync("error.type");
    }

    [Fact]
    public async Task The_metrics_page_shows_the_take_over()
    {
        var dashboard = await OpenAsync();
        var count = dashboard.Page.GetByRole(AriaRole.Gridcell, new() { Name = "1", Exact = true }).First;

        // The table is drawn from what has arrived when the page is opened.
        await dashboard.OpenUntilVisibleAsync($"/metrics/resource/{FailoverStory.Resource(story.Second)}" +
            "?meter=Mcp.HighAvailability&instrument=mcp.ha.takeovers&duration=5&view=Table", count);
        await Expect(dashboard.Page.GetByRole(AriaRole.Heading, new() { Name = "mcp.ha.takeovers" })).ToBeVisibleAsync();
        await dashboard.Page.KeepAsync("dashboard-metrics");
    }

    [Fact]
    public async Task The_structured_logs_of_the_session_tell_of_the_take_over_in_its_trace()
    {
        var dashboard = await OpenAsync();
        await dashboard.OpenAsync($"/structuredlogs?filters=mcp.session.id:contains:{story.Session}");

        var record = dashboard.Row($"taken over from {story.First}");
        await Expect(record).ToContainTextAsync(FailoverStory.Resource(story.Second));
        await dashboard.Page.KeepAsync("dashboard-logs");
        await record.GetByRole(AriaRole.Link).ClickAsync();
        await Expect(dashboard.Row("session create", FailoverStory.Resource(story.First))).ToBeVisibleAsync();
    }

    private async Task<DashboardPage> OpenAsync()
    {
        var address = story.Dashboard;
        return new(await browser.NewPageAsync(new() { ViewportSize = new() { Width = 1200, Height = 600 } }), address);
    }
}

using Microsoft.Playwright;

namespace McpHa.Tests.Browser.Dashboard;

/// <summary>The Aspire dashboard, used as a person uses it.</summary>
internal sealed class DashboardPage(IPage page, Uri dashboard)
{
    public IPage Page => page;

    /// <summary>Rows of whatever table is shown, by texts in them.</summary>
    public ILocator Rows(params string[] texts) =>
        texts.Aggregate(page.GetByRole(AriaRole.Row), (rows, text) => rows.Filter(new() { HasText = text }));

    /// <summary>The first of such rows.</summary>
    public ILocator Row(params string[] texts) => Rows(texts).First;

    /// <summary>Filters the traces by the id of a session.</summary>
    public async Task FindSessionAsync(string session)
    {
        // What the dialog for filters makes.
        await OpenAsync($"/traces?filters=mcp.session.id:contains:{session}");
        await Row("session create").WaitForAsync();
    }

    /// <summary>Opens the trace of a session from the list of traces.</summary>
    public async Task OpenSessionAsync(string session)
    {
        await FindSessionAsync(session);
        await Row("session create").ClickAsync();
        await Row("take over").WaitForAsync();
    }

    /// <summary>Follows a span's first link to another trace.</summary>
    public async Task FollowLinkAsync(ILocator span)
    {
        await span.ClickAsync();
        var here = page.Url.Split('?')[0];
        await Section("Links").Locator("fluent-button.button-hyperlink").First.ClickAsync();
        await page.WaitForURLAsync(url => !url.StartsWith(here, StringComparison.Ordinal));
    }

    /// <summary>A part of the details of the span or record that is open: <c>Span</c>, <c>Links</c>.</summary>
    public ILocator Section(string heading) => page.Locator("fluent-accordion-item").Filter(new() { HasText = heading }).First;

    public Task OpenAsync(string path) => page.GotoAsync(new Uri(dashboard, path).ToString());
}

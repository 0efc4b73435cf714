using Microsoft.Playwright;

namespace McpHa.Tests.Browser.Dashboard;

/// <summary>The Aspire dashboard, used as a person uses it.</summary>
internal sealed class DashboardPage(IPage page, Uri dashboard)
{
    // Milliseconds for one click or key of a dialog, and for what it opens.
    private const float StepLimit = 5000;
    private static readonly TimeSpan DialogLimit = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan PageLimit = 3 * Wait.Limit;

    public IPage Page => page;

    /// <summary>Rows of whatever table is shown, by texts in them.</summary>
    public ILocator Rows(params string[] texts) =>
        texts.Aggregate(page.GetByRole(AriaRole.Row), (rows, text) => rows.Filter(new() { HasText = text }));

    /// <summary>The first of such rows.</summary>
    public ILocator Row(params string[] texts) => Rows(texts).First;

    /// <summary>Filters the traces by the id of a session, in the dialog for filters.</summary>
    public Task FindSessionAsync(string session) => UntilVisibleAsync(() => FilterAsync(session), Row("session create"), 15_000, PageLimit);

    /// <summary>Opens the trace of a session from the list of traces.</summary>
    public async Task OpenSessionAsync(string session)
    {
        await OpenAsync($"/traces?filters=mcp.session.id:contains:{session}");
        await Row("session create").ClickAsync();
        await Row("take over").WaitForAsync();
    }

    /// <summary>Follows the links of a session's spans, one span after the other, until a trace shows something.</summary>
    public Task FollowLinksUntilVisibleAsync(string session, string span, ILocator appears)
    {
        var next = 0;
        return UntilVisibleAsync(
            async () =>
            {
                await OpenSessionAsync(session);
                await Row(span).WaitForAsync();
                await FollowLinkAsync(Rows(span).Nth(next++ % await Rows(span).CountAsync()));
            },
            appears, 5_000, PageLimit);
    }

    /// <summary>A part of the details of the span or record that is open: <c>Span</c>, <c>Links</c>.</summary>
    public ILocator Section(string heading) => page.Locator("fluent-accordion-item").Filter(new() { HasText = heading }).First;

    public Task OpenAsync(string path) => page.GotoAsync(new Uri(dashboard, path).ToString());

    /// <summary>Opens a page, again and again, until it shows something.</summary>
    public Task OpenUntilVisibleAsync(string path, ILocator appears) => UntilVisibleAsync(() => OpenAsync(path), appears, 15_000, PageLimit);

    // Follows a span's first link to another trace.
    private async Task FollowLinkAsync(ILocator span)
    {
        await span.ClickAsync();
        var here = page.Url.Split('?')[0];
        await Section("Links").Locator("fluent-button.button-hyperlink").First.ClickAsync();
        await page.WaitForURLAsync(url => !url.StartsWith(here, StringComparison.Ordinal));
    }

    private async Task FilterAsync(string session)
    {
        await OpenAsync("/traces");
        var dialog = page.Locator("fluent-drawer");
        var parameters = dialog.Locator("fluent-dropdown").First;
        await ClickUntilVisibleAsync(page.Locator("fluent-button[aria-label='Add filter']"), parameters);
        var parameter = dialog.Locator("fluent-option[text='mcp.session.id']");
        await ClickUntilVisibleAsync(parameters, parameter);
        await parameter.ClickAsync(new() { Timeout = StepLimit });

        // Typed before the list of values is there, the id would be wiped by its arrival.
        var value = dialog.Locator($"fluent-option[text='{session}']");
        await value.WaitForAsync(new() { State = WaitForSelectorState.Attached, Timeout = StepLimit });
        var input = dialog.GetByLabel("Value", new() { Exact = true }).Last;
        await input.PressSequentiallyAsync(session, new() { Timeout = StepLimit });
        await input.PressAsync("Tab", new() { Timeout = StepLimit });

        // By keyboard: the list of values is sometimes open again, above the button.
        await dialog.Locator("fluent-button").Filter(new() { HasText = "Apply filter" }).PressAsync("Enter", new() { Timeout = StepLimit });
        await page.WaitForURLAsync(url => url.Contains(session, StringComparison.Ordinal), new() { Timeout = StepLimit });
    }

    // A page that has just been shown does not listen yet.
    private static Task ClickUntilVisibleAsync(ILocator toClick, ILocator appears) =>
        UntilVisibleAsync(() => toClick.ClickAsync(new() { Timeout = 2000 }), appears, 2000, DialogLimit);

    // The dashboard's dialogs lose a click or a key now and then: many short attempts, not few long ones.
    private static async Task UntilVisibleAsync(Func<Task> act, ILocator appears, float milliseconds, TimeSpan limit)
    {
        List<string> failures = [];
        try
        {
            await Wait.UntilAsync(
                async () =>
                {
                    try
                    {
                        await act();
                        await appears.WaitForAsync(new() { Timeout = milliseconds });
                        return true;
                    }
                    catch (TimeoutException e)
                    {
                        failures.Add(e.Message);
                        return false;
                    }
                },
                $"{appears} to appear",
                limit);
        }
        catch (TimeoutException e)
        {
            throw new TimeoutException($"{e.Message}; the {failures.Count} attempts ended with:\n{string.Join('\n', failures.Distinct())}", e);
        }
    }
}

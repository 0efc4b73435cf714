using Deque.AxeCore.Playwright;
using Microsoft.Playwright;
using static Microsoft.Playwright.Assertions;

namespace McpHa.Tests.Browser;

/// <summary>The cluster page is accessible, in its light and its dark colours.</summary>
[Collection(PageTests.Name)]
public sealed class AccessibilityTests(BrowserFixture browser, PageFixture fixture) : PageTest(browser, fixture)
{
    [Theory]
    [InlineData(ColorScheme.Light, 1400)]
    [InlineData(ColorScheme.Dark, 1400)]
    [InlineData(ColorScheme.Dark, 500)]
    public async Task Axe_finds_nothing_wrong(ColorScheme scheme, int width)
    {
        using var client = await ConnectAsync();

        // Axe is a script of its own, which the page's policy would not let in.
        var (page, complaints) = await OpenAsync(new() { ColorScheme = scheme, BypassCSP = true, ViewportSize = new() { Width = width, Height = 900 } });
        await Expect(page.Locator("#link")).ToHaveTextAsync("live");
        if (width >= 1400)
        {
            foreach (var table in await page.Locator(".wide").AllAsync())
                Assert.True(await table.EvaluateAsync<bool>("region => region.scrollWidth <= region.clientWidth"), "a table is cut off at its right side");
        }

        Assert.True(await page.EvaluateAsync<bool>("document.documentElement.scrollWidth <= innerWidth"), "the page is wider than the window");
        await page.GetByLabel("Session id").FillAsync(client.SessionId!);
        await page.Keyboard.PressAsync("Enter");
        await Expect(page.Locator("#trail")).ToContainTextAsync("no other owner");
        await AssertFlawlessAsync(page);

        await page.Locator("button[data-operation]").First.ClickAsync();
        await Expect(page.GetByRole(AriaRole.Dialog)).ToBeVisibleAsync();
        await AssertFlawlessAsync(page);
        Assert.Empty(complaints);
    }

    [Fact]
    public async Task Light_and_dark_are_what_the_visitor_wants()
    {
        var (light, _) = await OpenAsync(new() { ColorScheme = ColorScheme.Light });
        var (dark, _) = await OpenAsync(new() { ColorScheme = ColorScheme.Dark });
        const string Background = "getComputedStyle(document.body).backgroundColor";
        Assert.Equal("rgb(255, 255, 255)", await light.EvaluateAsync<string>(Background));
        Assert.Equal("rgb(20, 23, 26)", await dark.EvaluateAsync<string>(Background));
    }

    [Fact]
    public async Task It_has_landmarks_headings_and_tables_that_can_be_read_out()
    {
        var (page, _) = await OpenAsync();
        await Expect(page.GetByRole(AriaRole.Main)).ToHaveCountAsync(1);
        await Expect(page.GetByRole(AriaRole.Banner)).ToHaveCountAsync(1);
        foreach (var heading in new[] { "MCP cluster", "Replicas", "Sessions per replica", "Last hour", "What happened", "Look up a session" })
            await Expect(page.GetByRole(AriaRole.Heading, new() { Name = heading, Exact = true })).ToHaveCountAsync(1);
        await Expect(page.GetByRole(AriaRole.Table, new() { Name = "Replicas, by their last heartbeats" })).ToBeVisibleAsync();
        await Expect(page.GetByRole(AriaRole.Rowheader, new() { Name = Cluster.State.Replicas[0].Id })).ToBeVisibleAsync();
    }

    [Fact]
    public async Task A_tile_leads_to_its_section_of_the_runbook_by_keyboard()
    {
        var (page, complaints) = await OpenAsync(new() { BypassCSP = true });
        await page.GetByRole(AriaRole.Link, new() { Name = "Held requests (runbook)" }).FocusAsync();
        await page.Keyboard.PressAsync("Enter");

        await Expect(page.GetByRole(AriaRole.Heading, new() { Name = "Requests are held", Exact = true })).ToBeInViewportAsync();
        Assert.EndsWith("/status/runbook#requests-are-held", page.Url, StringComparison.Ordinal);
        await AssertFlawlessAsync(page);
        Assert.Empty(complaints);
    }

    private static async Task AssertFlawlessAsync(IPage page)
    {
        var result = await page.RunAxe();
        Assert.Empty(result.Violations.Select(violation => $"{violation.Id}: {violation.Help} {string.Join(", ", violation.Nodes.Select(node => node.Html))}"));
    }
}

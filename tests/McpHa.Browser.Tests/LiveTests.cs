using Microsoft.Playwright;
using static Microsoft.Playwright.Assertions;

namespace McpHa.Tests.Browser;

/// <summary>The cluster page while things happen.</summary>
[Collection(PageTests.Name)]
public sealed class LiveTests(BrowserFixture browser, PageFixture fixture) : PageTest(browser, fixture)
{
    [Fact]
    public async Task A_kill_is_seen_with_its_take_over_and_the_session_shows_its_hop()
    {
        using var client = await ConnectAsync();
        var owner = await OwnerOf(client);
        var (page, complaints) = await OpenAsync();
        await Expect(page.Locator("#link")).ToHaveTextAsync("live");
        await Expect(RowOf(page, owner)).ToContainTextAsync("alive");
        var input = page.GetByLabel("Session id");
        await input.FillAsync(client.SessionId!);

        Cluster.Kill(owner);
        var next = await OwnerOf(client);

        // The page updates without a reload, and a field keeps the focus while its user types.
        var timeline = page.GetByRole(AriaRole.Region, new() { Name = "Table of what happened" });
        var kill = timeline.GetByRole(AriaRole.Row).Filter(new() { HasText = $"{owner} was lost" });
        await Expect(kill).ToHaveCountAsync(1);
        await Expect(kill).ToContainTextAsync($"taken over by {next}");
        await Expect(kill).ToContainTextAsync("replaced by");
        await Expect(page.Locator("#state")).ToContainTextAsync("All 3 replicas take sessions");
        await Expect(RowOf(page, owner).GetByRole(AriaRole.Cell).Nth(2)).ToHaveTextAsync("–");
        await Expect(RowOf(page, next)).ToContainTextAsync("alive");
        await Expect(input).ToBeFocusedAsync();
        await Expect(input).ToHaveValueAsync(client.SessionId!);

        await page.Keyboard.PressAsync("Enter");
        await Expect(page.Locator("#answer")).ToContainTextAsync($"is at {next}, epoch 2");
        await Expect(page.Locator("#trail")).ToContainTextAsync("owner lost");
        await Expect(input).ToBeFocusedAsync();
        Assert.DoesNotContain(client.SessionId!, await page.ContentAsync(), StringComparison.Ordinal);
        Assert.Equal(Cluster.Endpoint.GetLeftPart(UriPartial.Authority) + "/", page.Url);
        Assert.Empty(complaints);
    }
}

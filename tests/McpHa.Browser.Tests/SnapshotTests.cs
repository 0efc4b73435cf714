using Microsoft.Playwright;
using static Microsoft.Playwright.Assertions;

namespace McpHa.Tests.Browser;

/// <summary>The cluster page where there is no JavaScript.</summary>
[Collection(PageTests.Name)]
public sealed class SnapshotTests(BrowserFixture browser, PageFixture fixture) : PageTest(browser, fixture)
{
    [Fact]
    public async Task Without_JavaScript_the_page_is_a_readable_snapshot_and_sessions_can_be_looked_up()
    {
        using var client = await ConnectAsync();
        var owner = await OwnerOf(client);
        var (page, _) = await OpenAsync(new() { JavaScriptEnabled = false });

        await Expect(page.Locator("#state")).ToContainTextAsync("replicas take sessions");
        await Expect(page.Locator("#link")).ToContainTextAsync("snapshot");
        await Expect(RowOf(page, owner)).ToContainTextAsync("alive");
        await Expect(page.Locator("ul.bars")).ToContainTextAsync(owner);
        await Expect(page.GetByRole(AriaRole.Button, new() { Name = "Drain" })).ToHaveCountAsync(0);

        await page.GetByLabel("Session id").FillAsync(client.SessionId!);
        await page.GetByRole(AriaRole.Button, new() { Name = "Look up" }).ClickAsync();

        await Expect(page.Locator("#answer")).ToContainTextAsync($"is at {owner}, epoch 1");
        Assert.DoesNotContain(client.SessionId!, page.Url, StringComparison.Ordinal);
        Assert.DoesNotContain(client.SessionId!, await page.ContentAsync(), StringComparison.Ordinal);
    }
}

using System.Text.RegularExpressions;
using Microsoft.Playwright;
using static Microsoft.Playwright.Assertions;

namespace McpHa.Tests.Browser;

/// <summary>Operations on the cluster page, with nothing but a keyboard.</summary>
[Collection(PageTests.Name)]
public sealed partial class DrainTests(BrowserFixture browser, PageFixture fixture) : PageTest(browser, fixture)
{
    [Fact]
    public async Task A_replica_is_drained_and_resumed_by_keyboard()
    {
        using var client = await ConnectAsync();
        var owner = await OwnerOf(client);
        var (page, complaints) = await OpenAsync();
        await Expect(page.Locator("#link")).ToHaveTextAsync("live");
        var said = page.Locator("#said");
        var drain = RowOf(page, owner).GetByRole(AriaRole.Button, new() { Name = $"Drain {owner}" });

        // A wrong key does nothing, and is forgotten.
        await ReachAsync(page, drain);
        await page.Keyboard.PressAsync("Enter");
        await Expect(page.GetByRole(AriaRole.Dialog)).ToContainTextAsync($"Drain {owner}?");
        await Expect(page.GetByLabel("Operators' key")).ToBeFocusedAsync();
        await page.Keyboard.TypeAsync("not-the-key-of-these");
        await page.Keyboard.PressAsync("Enter");
        await Expect(said).ToContainTextAsync("operators' key");
        await Expect(RowOf(page, owner)).ToContainTextAsync("alive");

        // The focus is back where it was, although the page has been renewed meanwhile.
        await Expect(drain).ToBeFocusedAsync();
        await page.Keyboard.PressAsync("Enter");
        await page.Keyboard.TypeAsync(PageFixture.Key);
        await page.Keyboard.PressAsync("Enter");
        await Expect(said).ToContainTextAsync($"{owner} drains");
        await Expect(RowOf(page, owner)).ToContainTextAsync(Drained());
        await Expect(page.Locator("#state")).ToContainTextAsync("1 draining");
        Assert.NotEqual(owner, await OwnerOf(client));

        // Escape means no.
        var resume = RowOf(page, owner).GetByRole(AriaRole.Button, new() { Name = $"Resume {owner}" });
        await Expect(resume).ToBeFocusedAsync();
        await page.Keyboard.PressAsync("Enter");
        await Expect(page.GetByRole(AriaRole.Dialog)).ToContainTextAsync($"Resume {owner}?");
        await page.Keyboard.PressAsync("Escape");
        await Expect(page.GetByRole(AriaRole.Dialog)).ToHaveCountAsync(0);
        await Expect(RowOf(page, owner)).ToContainTextAsync(Drained());

        // The key is still in the tab's memory.
        await page.Keyboard.PressAsync("Enter");
        await Expect(page.GetByRole(AriaRole.Button, new() { Name = "Resume", Exact = true })).ToBeFocusedAsync();
        await page.Keyboard.PressAsync("Enter");
        await Expect(RowOf(page, owner)).ToContainTextAsync("alive");
        await Expect(page.Locator("#timeline + .wide")).ToContainTextAsync($"{owner} drained by an operator");
        await Expect(page.Locator("#timeline + .wide")).ToContainTextAsync("takes sessions again");
        Assert.DoesNotContain(PageFixture.Key, await page.ContentAsync(), StringComparison.Ordinal);
        Assert.Empty(complaints);
    }

    // By Tab alone, as users without a mouse do.
    private static async Task ReachAsync(IPage page, ILocator wanted)
    {
        for (var presses = 0; presses < 80; presses++)
        {
            await page.Keyboard.PressAsync("Tab");
            if (await wanted.EvaluateAsync<bool>("element => element === document.activeElement"))
                return;
        }

        Assert.Fail("The button cannot be reached by keyboard.");
    }

    [GeneratedRegex("drained|draining")]
    private static partial Regex Drained();
}

using Microsoft.Playwright;

[assembly: Xunit.v3.Parallelization(Mode = Xunit.Sdk.ParallelMode.None)]

namespace McpHa.Tests.Browser;

/// <summary>One browser for all tests: the chromium of the machine. Nothing is downloaded.</summary>
public sealed class BrowserFixture : IAsyncLifetime
{
    private static readonly string? _program = new[] { "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome" }.FirstOrDefault(File.Exists);

    private IPlaywright? _playwright;
    private IBrowser? _browser;

    /// <summary>Why there can be no browser here; <see langword="null"/> if there can.</summary>
    public static string? Unavailable => _program is null ? "chromium is not installed (apt-get install chromium)" : null;

    /// <summary>The browser; skips the test where there is none.</summary>
    public IBrowser Browser
    {
        get
        {
            Assert.SkipWhen(Unavailable is not null, Unavailable ?? "");
            return _browser!;
        }
    }

    public async ValueTask InitializeAsync()
    {
        if (Unavailable is not null)
            return;

        Environment.SetEnvironmentVariable("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD", "1");
        _playwright = await Playwright.CreateAsync();
        _browser = await _playwright.Chromium.LaunchAsync(new()
        {
            ExecutablePath = _program,
            Args = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"],
            Timeout = Milliseconds,
        });
    }

    public async ValueTask DisposeAsync()
    {
        if (_browser is not null)
            await _browser.DisposeAsync();
        _playwright?.Dispose();
    }

    /// <summary>A page in a browser context of its own. What it waits for has as much time as anything in these tests.</summary>
    public async Task<IPage> NewPageAsync(BrowserNewContextOptions? options = null)
    {
        var context = await Browser.NewContextAsync(options ?? new());
        context.SetDefaultTimeout(Milliseconds);
        Assertions.SetDefaultExpectTimeout(Milliseconds);
        return await context.NewPageAsync();
    }

    private static float Milliseconds => (float)Wait.Limit.TotalMilliseconds;
}

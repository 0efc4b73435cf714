using Microsoft.Playwright;

namespace McpHa.Tests.Browser;

/// <summary>What the tests saw, in <c>artifacts/screenshots</c>.</summary>
internal static class Screenshots
{
    /// <summary>Keeps what a page shows now.</summary>
    public static Task KeepAsync(this IPage page, string name) => page.ScreenshotAsync(new() { Path = Path.Combine(Folder(), name + ".png") });

    private static string Folder()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (folder.EnumerateFiles("global.json").Any())
                return Path.Combine(folder.FullName, "artifacts", "screenshots");
        }

        throw new DirectoryNotFoundException("The root of the repository is in no folder above the tests.");
    }
}

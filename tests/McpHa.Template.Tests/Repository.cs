namespace McpHa.Tests;

/// <summary>Where the repository is, and what its package feed lacks.</summary>
internal static class Repository
{
    public static string Root { get; } = FindRoot();

    /// <summary>Written by <c>eng/feed.sh</c> where the feed is a basic one.</summary>
    public static string FeedMarker { get; } = Path.Combine(Root, "Directory.Build.targets");

    /// <summary>Whether Aspire restores here.</summary>
    public static bool HasAspire { get; } = !File.Exists(FeedMarker) || !File.ReadAllText(FeedMarker).Contains("Aspire", StringComparison.Ordinal);

    private static string FindRoot()
    {
        var folder = AppContext.BaseDirectory;
        while (!Directory.Exists(Path.Combine(folder, ".template.config")))
            folder = Path.GetDirectoryName(folder) ?? throw new InvalidOperationException($"No .template.config above {AppContext.BaseDirectory}.");
        return folder;
    }
}

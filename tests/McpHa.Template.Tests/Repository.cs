namespace McpHa.Tests;

/// <summary>Where the repository is.</summary>
internal static class Repository
{
    public static string Root { get; } = FindRoot();

    private static string FindRoot()
    {
        var folder = AppContext.BaseDirectory;
        while (!Directory.Exists(Path.Combine(folder, ".template.config")))
            folder = Path.GetDirectoryName(folder) ?? throw new InvalidOperationException($"No .template.config above {AppContext.BaseDirectory}.");
        return folder;
    }
}

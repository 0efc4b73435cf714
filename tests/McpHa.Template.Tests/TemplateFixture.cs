using System.Collections.Concurrent;
using System.IO.Compression;

namespace McpHa.Tests;

/// <summary>The template: packed, and installed from the package where nothing else is installed. Generates each combination of options once.</summary>
public sealed class TemplateFixture : IAsyncLifetime
{
    private readonly ConcurrentDictionary<string, Task<GeneratedTree>> _trees = new();
    private readonly string _folder = Directory.CreateTempSubdirectory("mcp-ha-template-").FullName;

    private string Hive => Path.Combine(_folder, "hive");

    /// <summary>The package.</summary>
    public string Package { get; private set; } = "";

    public async ValueTask InitializeAsync()
    {
        var packages = Path.Combine(_folder, "package");
        await DotNet.RunAsync(
            Repository.Root, "pack", "eng/template", "-c", "Release", "-o", packages, "--artifacts-path", Path.Combine(_folder, "artifacts"), "-nologo", "-v", "quiet");
        Package = Directory.GetFiles(packages, "*.nupkg").Single();
        await DotNet.RunAsync(_folder, "new", "install", Package, "--debug:custom-hive", Hive);
    }

    public ValueTask DisposeAsync()
    {
        Directory.Delete(_folder, recursive: true);
        return ValueTask.CompletedTask;
    }

    /// <summary>Names of all files in the package.</summary>
    public IReadOnlyList<string> PackagedFiles()
    {
        using var package = ZipFile.OpenRead(Package);
        return [.. package.Entries.Select(entry => entry.FullName)];
    }

    /// <summary>What <c>dotnet new mcp-ha</c> makes of the options, and no packages restored.</summary>
    internal Task<GeneratedTree> GenerateAsync(Choice choice) => _trees.GetOrAdd(choice.ToString(), async _ =>
    {
        var folder = Path.Combine(_folder, $"{_trees.Count}", choice.Name.Length > 0 ? "out" : choice.FolderName);
        await NewAsync([.. choice.Arguments, "--skip-restore", "-o", folder]);
        return new GeneratedTree(choice, folder);
    });

    /// <summary>Runs <c>dotnet new mcp-ha</c> and returns what it says.</summary>
    internal Task<string> NewAsync(params string[] arguments) =>
        DotNet.RunAsync(_folder, ["new", "mcp-ha", .. arguments, "--debug:custom-hive", Hive]);

    /// <summary>A folder that does not exist yet and goes with the fixture.</summary>
    internal string NewFolder(string name) => Path.Combine(_folder, $"{Guid.NewGuid():N}", name);
}

/// <summary>All tests of the template share one installation, and do not compete for the processors.</summary>
[CollectionDefinition(Name)]
public sealed class TemplateCollection : ICollectionFixture<TemplateFixture>
{
    public const string Name = "template";
}

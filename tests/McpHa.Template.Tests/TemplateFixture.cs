using System.Collections.Concurrent;

namespace McpHa.Tests;

/// <summary>The packages as <c>eng/pack.sh</c> makes them, and the template, installed where nothing else is. Generates each choice once.</summary>
public sealed class TemplateFixture : IAsyncLifetime
{
    private readonly ConcurrentDictionary<string, Task<GeneratedTree>> _trees = new();
    private readonly string _folder = Directory.CreateTempSubdirectory("mcp-ha-template-").FullName;
    private readonly List<string> _versions = [];

    /// <summary>Version of the packages: one that no other run uses, because NuGet keeps what it has unpacked.</summary>
    public string Version { get; } = $"0.1.1-test.{Guid.NewGuid():N}";

    /// <summary>Folder of the packages.</summary>
    public string Packages => Path.Combine(_folder, "packages");

    private string Hive => Path.Combine(_folder, "hive");

    public async ValueTask InitializeAsync()
    {
        // Around a solution there may be another one. Its files must not reach the build.
        foreach (var file in (string[])["Directory.Build.props", "Directory.Build.targets"])
            await File.WriteAllTextAsync(
                Path.Combine(_folder, file),
                $"""<Project><Target Name="Outer" BeforeTargets="CoreCompile"><Error Text="{file} of a folder above" /></Target></Project>""");
        await PackAsync(Version, Packages);
        await DotNet.RunAsync(_folder, "new", "install", Directory.GetFiles(Packages, "*.Template.*").Single(), "--debug:custom-hive", Hive);
    }

    public ValueTask DisposeAsync()
    {
        Directory.Delete(_folder, recursive: true);
        foreach (var unpacked in _versions.SelectMany(Unpacked).ToList())
            Directory.Delete(unpacked, recursive: true);
        return ValueTask.CompletedTask;
    }

    /// <summary>Packs what is built, or builds it apart first, as for a release.</summary>
    internal async Task PackAsync(string version, string folder, bool build = false)
    {
        _versions.Add(version);
        await DotNet.RunProgramAsync("bash", Repository.Root, ["eng/pack.sh", .. build ? Array.Empty<string>() : ["--no-build"], "--output", folder, version]);
    }

    /// <summary>Generates a solution. Packages are not restored.</summary>
    internal Task<GeneratedTree> GenerateAsync(Choice choice) => _trees.GetOrAdd(choice.ToString(), async _ =>
    {
        var folder = NewFolder(choice.Name.Length > 0 ? "out" : choice.FolderName);
        await NewAsync([.. choice.Arguments, "--skip-restore", "-o", folder]);
        return new GeneratedTree(choice, folder);
    });

    /// <summary>Runs <c>dotnet new mcp-ha</c> and returns its output.</summary>
    internal Task<string> NewAsync(params string[] arguments) =>
        DotNet.RunAsync(_folder, ["new", "mcp-ha", .. arguments, "--debug:custom-hive", Hive]);

    /// <summary>A folder that does not exist yet, and is deleted with the fixture.</summary>
    internal string NewFolder(string name) => Path.Combine(_folder, $"{Guid.NewGuid():N}", name);

    private static IEnumerable<string> Unpacked(string version)
    {
        var packages = Environment.GetEnvironmentVariable("NUGET_PACKAGES") is { Length: > 0 } set
            ? set
            : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".nuget", "packages");
        return Directory.EnumerateDirectories(packages, "mcp.highavailability*").Select(package => Path.Combine(package, version)).Where(Directory.Exists);
    }
}

/// <summary>All tests of the template share one installation.</summary>
[CollectionDefinition(Name)]
public sealed class TemplateCollection : ICollectionFixture<TemplateFixture>
{
    public const string Name = "template";
}

using System.Text.Json;

namespace Mcp.HighAvailability.Lab.Processes;

/// <summary>A program that is distributed as a NuGet package.</summary>
/// <param name="Id">Id of the package.</param>
/// <param name="Version">Its version.</param>
/// <param name="Program">Path of the program inside the package.</param>
internal sealed record NuGetPackage(string Id, string Version, string Program)
{
    /// <summary>Finds the program among the user's packages, and restores the package if it is not there.</summary>
    /// <param name="logFile">Takes the output of the restore.</param>
    /// <param name="say">Takes a line before a restore begins.</param>
    /// <param name="cancellationToken">Ends the restore.</param>
    /// <returns>The path of the program; <see langword="null"/> when the package cannot be restored.</returns>
    public async Task<string?> FindAsync(string logFile, Action<string> say, CancellationToken cancellationToken)
    {
        if (ProgramIn(DefaultFolder()) is { } known)
            return known;

        say($"Restoring {Id} {Version} from NuGet, once.");

        // Outside the repository, whose build settings would apply to the project.
        var folder = Path.Combine(CacheFolder(), $"{Id}-{Version}");
        Directory.CreateDirectory(folder);
        var project = Path.Combine(folder, "restore.csproj");
        await File.WriteAllTextAsync(project, $"""
            <Project Sdk="Microsoft.NET.Sdk">
              <PropertyGroup>
                <TargetFramework>net10.0</TargetFramework>
              </PropertyGroup>
              <ItemGroup>
                <PackageDownload Include="{Id}" Version="[{Version}]" />
              </ItemGroup>
            </Project>
            """, cancellationToken);
        await using var restore = await ChildProcess.StartAsync(
            new ProcessSpec("restore", Executables.DotNet, ["restore", project, "-nologo"], new Dictionary<string, string?>(), folder, logFile));
        if (await restore.Exited.WaitAsync(cancellationToken) != 0)
            return null;

        using var assets = JsonDocument.Parse(await File.ReadAllTextAsync(Path.Combine(folder, "obj", "project.assets.json"), cancellationToken));
        return assets.RootElement.GetProperty("packageFolders").EnumerateObject().Select(packages => ProgramIn(packages.Name))
            .FirstOrDefault(program => program is not null);
    }

    private string? ProgramIn(string packages)
    {
        var program = Path.Combine(packages, Id.ToLowerInvariant(), Version, Program);
        return File.Exists(program) ? program : null;
    }

    private static string DefaultFolder() => Environment.GetEnvironmentVariable("NUGET_PACKAGES") is { Length: > 0 } folder
        ? folder
        : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".nuget", "packages");

    private static string CacheFolder() => Path.Combine(
        Environment.GetEnvironmentVariable("XDG_CACHE_HOME") is { Length: > 0 } cache
            ? cache
            : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache"),
        "mcp-ha");
}

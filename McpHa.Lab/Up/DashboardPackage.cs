using System.Text.Json;
using McpHa.Lab.Processes;

namespace McpHa.Lab.Up;

/// <summary>The Aspire dashboard's program as NuGet has it, with nothing around it: one package for each platform.</summary>
internal static class DashboardPackage
{
    private const string Version = "13.6.5";

    /// <summary>Finds the program among the user's NuGet packages; restores it if it is not there. <see langword="null"/>: the package feed lacks it.</summary>
    public static async Task<string?> FindAsync(string cache, string platform, UpOptions options, Action<string> say, CancellationToken cancellationToken)
    {
        var package = $"Aspire.Dashboard.Sdk.{platform}";
        if (ProgramIn(DefaultFolder(), package) is { } known)
            return known;

        say($"Restoring {package} {Version} from the package feed, once.");
        var folder = Path.Combine(cache, $"aspire-dashboard-{Version}");
        Directory.CreateDirectory(folder);
        var project = Path.Combine(folder, "fetch.csproj");
        await File.WriteAllTextAsync(project, $"""
            <Project Sdk="Microsoft.NET.Sdk">
              <PropertyGroup>
                <TargetFramework>net10.0</TargetFramework>
              </PropertyGroup>
              <ItemGroup>
                <PackageDownload Include="{package}" Version="[{Version}]" />
              </ItemGroup>
            </Project>
            """, cancellationToken);
        await using var restore = await ChildProcess.StartAsync(new ProcessSpec(
            "restore", Executables.DotNet, ["restore", project, "-nologo"], new Dictionary<string, string?>(), folder, Path.Combine(options.Folder, "logs", "restore.log")));
        if (await restore.Exited.WaitAsync(cancellationToken) != 0)
            return null;

        using var assets = JsonDocument.Parse(await File.ReadAllTextAsync(Path.Combine(folder, "obj", "project.assets.json"), cancellationToken));
        return assets.RootElement.GetProperty("packageFolders").EnumerateObject().Select(packages => ProgramIn(packages.Name, package)).FirstOrDefault(program => program is not null);
    }

    /// <summary>How to run it.</summary>
    public static ProcessSpec At(string program, Uri url, Uri otlpGrpc, Uri otlpHttp, string logFile) => new(
        "dashboard",
        program,
        [],
        new Dictionary<string, string?>
        {
            ["ASPNETCORE_URLS"] = url.GetLeftPart(UriPartial.Authority),
            ["ASPIRE_DASHBOARD_OTLP_ENDPOINT_URL"] = otlpGrpc.GetLeftPart(UriPartial.Authority),
            ["ASPIRE_DASHBOARD_OTLP_HTTP_ENDPOINT_URL"] = otlpHttp.GetLeftPart(UriPartial.Authority),
            // Everything is on the loopback interface only.
            ["ASPIRE_DASHBOARD_UNSECURED_ALLOW_ANONYMOUS"] = "true",
            ["DASHBOARD__OTLP__SUPPRESSUNSECUREDTELEMETRYMESSAGE"] = "true",
            ["ASPIRE_DASHBOARD_API_ENABLED"] = "true",
            ["OTEL_EXPORTER_OTLP_ENDPOINT"] = null,
        },
        Path.GetDirectoryName(program)!,
        logFile);

    private static string? ProgramIn(string packages, string package)
    {
        var program = Path.Combine(packages, package.ToLowerInvariant(), Version, "tools", OperatingSystem.IsWindows() ? "Aspire.Dashboard.exe" : "Aspire.Dashboard");
        return File.Exists(program) ? program : null;
    }

    private static string DefaultFolder() => Environment.GetEnvironmentVariable("NUGET_PACKAGES") is { Length: > 0 } folder
        ? folder
        : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".nuget", "packages");
}

using System.Diagnostics;
using System.Runtime.InteropServices;

namespace McpHa.Tests;

/// <summary>What the AppHost says, as a process of its own, when it cannot start.</summary>
public sealed class StartErrorTests
{
    private static readonly TimeSpan _limit = TimeSpan.FromMinutes(2);

    // <root>/shared/Microsoft.NETCore.App/<version>/
    private static readonly string _dotnet = Path.GetFullPath(Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "..", "..", "..", "dotnet"));

    [Fact(Timeout = Bound.Milliseconds)]
    public async Task Without_any_store_it_ends_with_the_three_cures()
    {
        using var machine = new Machine();
        Directory.CreateDirectory(Path.Combine(machine.Folder, ".nuget", "NuGet"));
        await File.WriteAllTextAsync(
            Path.Combine(machine.Folder, ".nuget", "NuGet", "NuGet.Config"), "<configuration><packageSources><clear /></packageSources></configuration>");
        File.CreateSymbolicLink(Path.Combine(machine.Folder, "dotnet"), _dotnet);

        var output = await FailAsync(new()
        {
            ["PATH"] = machine.Folder,
            // NuGet has no source and no packages.
            ["HOME"] = machine.Folder,
            ["DOTNET_CLI_HOME"] = machine.Folder,
        });

        Assert.Contains("Store 'redis': Garnet", output, StringComparison.Ordinal);
        Assert.Contains("Start Docker or Podman, install redis-server, or set ConnectionStrings:redis to an existing Redis", output, StringComparison.Ordinal);
    }

    [Theory(Timeout = Bound.Milliseconds)]
    [InlineData("--Replicas=many", "error: Replicas is 'many'; set it to a number from 1 to 100")]
    [InlineData("--Store=disk", "error: Store is 'disk'; set it to one of Automatic, Existing, Container, RedisServer, Garnet")]
    public async Task A_wrong_setting_is_named(string argument, string error)
    {
        var output = await FailAsync([], argument);

        Assert.StartsWith(error, output, StringComparison.Ordinal);
    }

    private static async Task<string> FailAsync(Dictionary<string, string> environment, params string[] arguments)
    {
        // Built beside the tests, in the same configuration.
        var output = new DirectoryInfo(AppContext.BaseDirectory);
        var project = new DirectoryInfo(Projects.McpHa_AppHost.ProjectPath);
        var program = Path.Combine(project.FullName, "bin", output.Parent!.Name, output.Name, project.Name + ".dll");
        var start = new ProcessStartInfo(_dotnet, [program, .. arguments])
        {
            WorkingDirectory = project.FullName,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["ASPIRE_ALLOW_UNSECURED_TRANSPORT"] = "true";
        start.Environment["ASPNETCORE_URLS"] = "http://127.0.0.1:0";
        start.Environment["ASPIRE_DASHBOARD_OTLP_ENDPOINT_URL"] = "http://127.0.0.1:0";
        foreach (var (name, value) in environment)
            start.Environment[name] = value;

        using var process = Process.Start(start)!;
        using var limit = new CancellationTokenSource(_limit);
        try
        {
            var error = process.StandardError.ReadToEndAsync(limit.Token);
            var said = await process.StandardOutput.ReadToEndAsync(limit.Token) + await error;
            await process.WaitForExitAsync(limit.Token);
            Assert.True(process.ExitCode == 1, $"It ended with {process.ExitCode}:\n{said}");
            Assert.DoesNotContain("Unhandled exception", said, StringComparison.OrdinalIgnoreCase);
            Assert.DoesNotContain("\n   at ", said, StringComparison.Ordinal);
            return said;
        }
        finally
        {
            if (!process.HasExited)
                process.Kill(entireProcessTree: true);
        }
    }
}

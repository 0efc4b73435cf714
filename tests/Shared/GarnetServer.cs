using System.Diagnostics;

namespace McpHa.Tests;

/// <summary>A real Garnet of its own. Installs the .NET tool <c>garnet-server</c> once into <c>artifacts/tools</c>.</summary>
public sealed class GarnetServer(params string[] arguments) : RedisServer(arguments)
{
    /// <summary>What Garnet needs for this library.</summary>
    public static readonly string[] Flags = ["--lua", "--lua-transaction-mode"];

    private const string Version = "2.2.8";
    private static readonly Lazy<Task<(string? Program, string Reason)>> Tool = new(InstallAsync);
    private string? _unavailable;

    public GarnetServer() : this(Flags)
    {
    }

    public override void SkipIfUnavailable() => Assert.SkipWhen(_unavailable is not null, _unavailable ?? "");

    public override async ValueTask InitializeAsync()
    {
        var (program, reason) = await Tool.Value;
        if (program is null)
            _unavailable = reason;
        else
            await StartFreshAsync();
    }

    protected override async ValueTask<string> ProgramAsync() => (await Tool.Value).Program!;

    protected override IEnumerable<string> Arguments(int port, string folder) => ["--port", $"{port}", "--bind", "127.0.0.1", "--memory", "512m", "--page", "16m"];

    // Several test projects may come here at the same time: one installs, the others wait for its lock.
    private static async Task<(string? Program, string Reason)> InstallAsync()
    {
        var folder = Path.Combine(Root(), "artifacts", "tools", $"garnet-{Version}");
        var program = Path.Combine(folder, OperatingSystem.IsWindows() ? "garnet-server.exe" : "garnet-server");
        Directory.CreateDirectory(folder);
        FileStream? turn = null;
        await Wait.UntilAsync(() => (turn = TryLock(folder + ".lock")) is not null, "the installation of Garnet by another test run");
        using (turn)
        {
            if (File.Exists(program))
                return (program, "");
            var start = new ProcessStartInfo("dotnet", ["tool", "install", "garnet-server", "--tool-path", folder, "--version", Version])
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            };
            using var install = Process.Start(start)!;
            var (output, error) = (install.StandardOutput.ReadToEndAsync(), install.StandardError.ReadToEndAsync());
            await install.WaitForExitAsync();
            return install.ExitCode == 0 && File.Exists(program)
                ? (program, "")
                : (null, $"Garnet {Version} cannot be installed as a .NET tool: {await error}{await output}");
        }
    }

    private static FileStream? TryLock(string path)
    {
        try
        {
            return new(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException)
        {
            return null;
        }
    }

    private static string Root()
    {
        var folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "McpHa.sln")))
            folder = Path.GetDirectoryName(folder) ?? throw new InvalidOperationException("McpHa.sln is in no folder above the tests.");
        return folder;
    }
}

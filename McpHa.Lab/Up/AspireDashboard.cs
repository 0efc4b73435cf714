using System.Runtime.InteropServices;
using McpHa.Lab.Processes;

namespace McpHa.Lab.Up;

/// <summary>The Aspire dashboard as a program of its own: from NuGet, or, where the package feed lacks that, from the <c>aspire</c> command line.</summary>
internal sealed class AspireDashboard
{
    private const string Version = "13.5.4";

    private readonly string _executable;
    private readonly bool _isCommandLine;
    private readonly Uri _otlpHttp = new($"http://127.0.0.1:{Ports.Free()}");

    private AspireDashboard(string executable, bool isCommandLine) => (_executable, _isCommandLine) = (executable, isCommandLine);

    /// <summary>The page to open.</summary>
    public Uri Url { get; } = new($"http://127.0.0.1:{Ports.Free()}");

    /// <summary>What the other processes need to know.</summary>
    public Telemetry Telemetry { get; } = new(new Uri($"http://127.0.0.1:{Ports.Free()}"));

    /// <summary>
    /// Finds the program among the user's NuGet packages, or restores it. Where the feed lacks it: the command line on PATH or in the user's cache, fetched
    /// with npm if it is in neither. It comes second because it gives the dashboard 30 s to start, and then gives up.
    /// </summary>
    /// <exception cref="LabException">It is not there and cannot be fetched.</exception>
    public static async Task<AspireDashboard> LocateAsync(UpOptions options, Action<string> say, CancellationToken cancellationToken)
    {
        if (await DashboardPackage.FindAsync(CacheFolder(), Platform(), options, say, cancellationToken) is { } program)
            return new(program, isCommandLine: false);
        if (Executables.Find("aspire") is { } installed)
            return new(installed, isCommandLine: true);

        var package = $"@microsoft/aspire-cli-{Platform()}";
        var cache = Path.Combine(CacheFolder(), $"aspire-cli-{Version}");
        var executable = Path.Combine(cache, "node_modules", package, "bin", "aspire");
        if (!File.Exists(executable))
            await FetchAsync($"{package}@{Version}", cache, options, say, cancellationToken);
        return File.Exists(executable)
            ? new(executable, isCommandLine: true)
            : throw new LabException($"{package} {Version} holds no {executable}: install the aspire command line yourself, or leave out --dashboard.");
    }

    /// <summary>How to start it.</summary>
    public Launch Launch(string logFile) => new(
        "dashboard",
        Url,
        _isCommandLine ? CommandLine(logFile) : DashboardPackage.At(_executable, Url, Telemetry.OtlpGrpc, _otlpHttp, logFile),
        cancellationToken => Probe.AnswersAsync(Url, cancellationToken));

    private ProcessSpec CommandLine(string logFile) => new(
        "dashboard",
        _executable,
        [
            "dashboard", "run", "--allow-anonymous", "--nologo", "--non-interactive",
            "--frontend-url", Origin(Url),
            "--otlp-grpc-url", Origin(Telemetry.OtlpGrpc),
            "--otlp-http-url", Origin(_otlpHttp),
        ],
        new Dictionary<string, string?>
        {
            ["ASPIRE_CLI_TELEMETRY_OPTOUT"] = "true",
            ["DOTNET_CLI_TELEMETRY_OPTOUT"] = "true",
            ["ASPNETCORE_URLS"] = null,
        },
        Environment.CurrentDirectory,
        logFile);

    private static async Task FetchAsync(string package, string cache, UpOptions options, Action<string> say, CancellationToken cancellationToken)
    {
        var npm = Executables.Find("npm")
            ?? throw new LabException("--dashboard needs a package feed that has Aspire, the aspire command line, or npm to fetch that: give it one of them, or leave out --dashboard.");
        say($"Fetching {package} into {cache}, once.");

        // Moved into place when complete: an interrupted fetch leaves nothing that looks whole.
        var incoming = $"{cache}.{Environment.ProcessId}";
        Directory.CreateDirectory(incoming);
        await using var install = await ChildProcess.StartAsync(new ProcessSpec(
            "npm",
            npm,
            ["install", "--prefix", incoming, "--no-audit", "--no-fund", "--no-save", package],
            new Dictionary<string, string?>(),
            incoming,
            Path.Combine(options.Folder, "logs", "npm.log")));
        if (await install.Exited.WaitAsync(cancellationToken) != 0)
            throw new LabException($"npm could not fetch {package}; leave out --dashboard to do without. npm said:\n{string.Join('\n', install.Tail(10))}");

        if (Directory.Exists(cache))
            Directory.Delete(cache, recursive: true);
        Directory.Move(incoming, cache);
    }

    private static string Platform()
    {
        var system = OperatingSystem.IsMacOS() ? "osx" : OperatingSystem.IsWindows() ? "win" : "linux";
        return $"{system}-{RuntimeInformation.OSArchitecture.ToString().ToLowerInvariant()}";
    }

    private static string CacheFolder() => Path.Combine(
        Environment.GetEnvironmentVariable("XDG_CACHE_HOME") is { Length: > 0 } cache
            ? cache
            : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache"),
        "mcp-ha");

    private static string Origin(Uri url) => url.GetLeftPart(UriPartial.Authority);
}

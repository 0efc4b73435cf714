using System.Runtime.InteropServices;
using Mcp.HighAvailability.Lab.Processes;

namespace Mcp.HighAvailability.Lab.Up;

/// <summary>The Aspire dashboard as a program of its own, from its NuGet package for this platform.</summary>
internal sealed class AspireDashboard
{
    private static readonly NuGetPackage Package = new(
        $"Aspire.Dashboard.Sdk.{(OperatingSystem.IsMacOS() ? "osx" : "linux")}-{RuntimeInformation.OSArchitecture.ToString().ToLowerInvariant()}",
        "13.6.5",
        Path.Combine("tools", "Aspire.Dashboard"));

    private readonly string _program;
    private readonly Uri _otlpHttp = new($"http://127.0.0.1:{Ports.Free()}");

    private AspireDashboard(string program) => _program = program;

    /// <summary>The page to open.</summary>
    public Uri Url { get; } = new($"http://127.0.0.1:{Ports.Free()}");

    /// <summary>Where the other processes send their telemetry.</summary>
    public Telemetry Telemetry { get; } = new(new Uri($"http://127.0.0.1:{Ports.Free()}"));

    /// <summary>Finds the program, and restores its package if it is not there.</summary>
    /// <exception cref="LabException">It cannot be restored.</exception>
    public static async Task<AspireDashboard> LocateAsync(UpOptions options, Action<string> say, CancellationToken cancellationToken)
    {
        var log = Path.Combine(options.Folder, "logs", "restore.log");
        return await Package.FindAsync(log, say, cancellationToken) is { } program
            ? new(program)
            : throw new LabException($"{Package.Id} {Package.Version} could not be restored, see {log}. Make NuGet reachable, or leave out --dashboard.");
    }

    /// <summary>How to start it.</summary>
    public Launch Launch(string logFile) => new("dashboard", Url, Process(logFile), cancellationToken => Probe.AnswersAsync(Url, cancellationToken));

    private ProcessSpec Process(string logFile) => new(
        "dashboard",
        _program,
        [],
        new Dictionary<string, string?>
        {
            ["ASPNETCORE_URLS"] = Origin(Url),
            ["ASPIRE_DASHBOARD_OTLP_ENDPOINT_URL"] = Origin(Telemetry.OtlpGrpc),
            ["ASPIRE_DASHBOARD_OTLP_HTTP_ENDPOINT_URL"] = Origin(_otlpHttp),
            // Everything is on the loopback interface only.
            ["ASPIRE_DASHBOARD_UNSECURED_ALLOW_ANONYMOUS"] = "true",
            ["DASHBOARD__OTLP__SUPPRESSUNSECUREDTELEMETRYMESSAGE"] = "true",
            ["ASPIRE_DASHBOARD_API_ENABLED"] = "true",
            ["OTEL_EXPORTER_OTLP_ENDPOINT"] = null,
        },
        Path.GetDirectoryName(_program)!,
        logFile);

    private static string Origin(Uri url) => url.GetLeftPart(UriPartial.Authority);
}

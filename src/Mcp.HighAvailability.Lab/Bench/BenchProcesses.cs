using System.Diagnostics;
using Mcp.HighAvailability.Lab.Bench.Server;
using Mcp.HighAvailability.Lab.Processes;

namespace Mcp.HighAvailability.Lab.Bench;

/// <summary>A process that is ready.</summary>
internal sealed record Running(ChildProcess Process, Uri Url)
{
    public Uri Endpoint => new(Url, "/mcp");
}

/// <summary>Starts and ends the processes of a measurement. All have the same settings: server garbage collector, no spinning, logging at Warning.</summary>
internal sealed class BenchProcesses(string folder) : IAsyncDisposable
{
    // The part of the traces.
    private const double Sampled = 0.1;

    private static readonly TimeSpan StartTimeout = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan EndTimeout = TimeSpan.FromSeconds(5);

    private readonly List<Running> _all = [];
    private int _number;
    private OtlpSink? _telemetry;

    /// <summary>A Redis that writes nothing to disk.</summary>
    public Task<Running> StartRedisAsync(CancellationToken cancellationToken)
    {
        var port = Ports.Free();
        var name = Name("redis");
        var spec = RedisServer.At(port, Path.Combine(folder, name), Log(name), persistent: false);
        return StartAsync(spec, new UriBuilder("redis", "127.0.0.1", port).Uri, token => Probe.RedisAsync(port, token), cancellationToken);
    }

    /// <summary>A server of Lab's own (<see cref="BenchServerCommand"/>).</summary>
    public Task<Running> StartServerAsync(
        ServerKind kind, Running? redis, string durability, CancellationToken cancellationToken, TelemetryUse telemetry = TelemetryUse.Off,
        OtherBuild? other = null)
    {
        var (name, url) = (Name("server"), Address());
        var program = Lab(other?.Assembly);
        var settings = Replica(redis, url, name);
        settings["HighAvailability__Durability"] = durability;
        if (kind == ServerKind.Tasks)
            settings["HighAvailability__Tasks__MaxTasks"] = $"{int.MaxValue}";
        if (telemetry == TelemetryUse.Sampled)
            (_telemetry ??= new()).AddTo(settings, Sampled);
        List<string> arguments = [BenchServerCommand.Name, kind.ToString()];
        if (telemetry == TelemetryUse.Removed)
            arguments.Add(BenchServerCommand.WithoutTelemetry);
        return StartWebAsync(program.At(name, url, settings, Log(name), [.. arguments]), url, cancellationToken);
    }

    /// <summary>The sample server.</summary>
    public Task<Running> StartSampleAsync(Running redis, CancellationToken cancellationToken)
    {
        var (name, url) = (Name("sample"), Address());
        var settings = Replica(redis, url, name);
        settings["Prometheus"] = "true";
        return StartWebAsync(SolutionProgram.Server.At(name, url, settings, Log(name)), url, cancellationToken);
    }

    public Task<Running> StartBalancerAsync(Running redis, CancellationToken cancellationToken)
    {
        var (name, url) = (Name("balancer"), Address());
        return StartWebAsync(SolutionProgram.Balancer.At(name, url, Settings(redis), Log(name)), url, cancellationToken);
    }

    /// <summary>An nginx that hands requests to the servers in turn.</summary>
    public Task<Running> StartNginxAsync(IEnumerable<Running> servers, CancellationToken cancellationToken)
    {
        var (name, url) = (Name("nginx"), Address());
        var spec = Nginx.At(url.Port, [.. servers.Select(server => server.Url)], Path.Combine(folder, name), Log(name));
        return StartWebAsync(spec, url, cancellationToken);
    }

    /// <summary>A YARP that hands requests to the servers in turn (<see cref="YarpCommand"/>).</summary>
    public Task<Running> StartYarpAsync(IEnumerable<Running> servers, CancellationToken cancellationToken)
    {
        var (name, url) = (Name("yarp"), Address());
        string[] arguments = [YarpCommand.Name, .. servers.Select(server => server.Url.GetLeftPart(UriPartial.Authority))];
        return StartWebAsync(Lab().At(name, url, Settings(null), Log(name), arguments), url, cancellationToken);
    }

    public async ValueTask DisposeAsync()
    {
        // The processes hold nothing of value, so they need no graceful end. Only nginx has child processes, which it ends itself.
        foreach (var running in _all)
            running.Process.Send(running.Process.Spec.Name == "nginx" ? Signal.Terminate : Signal.Kill);
        foreach (var running in _all)
            await running.Process.StopAsync(EndTimeout);
        foreach (var running in _all)
            await running.Process.DisposeAsync();
        _all.Clear();
        _telemetry?.Dispose();
    }

    private Task<Running> StartWebAsync(ProcessSpec spec, Uri url, CancellationToken cancellationToken) =>
        StartAsync(spec, url, token => Probe.HealthAsync(url, token), cancellationToken);

    private async Task<Running> StartAsync(ProcessSpec spec, Uri url, Func<CancellationToken, Task<bool>> isReady, CancellationToken cancellationToken)
    {
        var running = new Running(await ChildProcess.StartAsync(spec), url);
        _all.Add(running);
        var started = Stopwatch.GetTimestamp();
        while (!await isReady(cancellationToken))
        {
            if (running.Process.Exited.IsCompleted || Stopwatch.GetElapsedTime(started) > StartTimeout)
                throw new LabException($"{spec.Name} did not become ready:\n{string.Join('\n', running.Process.Tail(15))}");
            await Task.WhenAny(running.Process.Exited, Task.Delay(20, cancellationToken));
            cancellationToken.ThrowIfCancellationRequested();
        }

        return running;
    }

    private static SolutionProgram Lab(string? assembly = null)
    {
        var lab = assembly ?? typeof(BenchProcesses).Assembly.Location;
        return new(Path.GetDirectoryName(lab)!, lab);
    }

    private static Dictionary<string, string?> Replica(Running? redis, Uri url, string name)
    {
        var settings = Settings(redis);
        settings["HighAvailability__ReplicaId"] = $"{name}-{Random.Shared.Next(0x10000):x4}";
        settings["HighAvailability__AdvertisedAddress"] = url.GetLeftPart(UriPartial.Authority);
        return settings;
    }

    private static Dictionary<string, string?> Settings(Running? redis) => new()
    {
        ["ConnectionStrings__redis"] = redis is null ? null : redis.Url.Authority,
        ["HighAvailability__Application"] = "lab",
        ["Logging__LogLevel__Default"] = "Warning",
        // What the projects of the server and the balancer set.
        ["DOTNET_gcServer"] = "1",
        ["DOTNET_ThreadPool_UnfairSemaphoreSpinLimit"] = "0",
        ["OTEL_EXPORTER_OTLP_ENDPOINT"] = null,
        // The runtime decides as it does without settings of this shell.
        ["DOTNET_TieredPGO"] = null,
    };

    private static Uri Address() => new($"http://127.0.0.1:{Ports.Free()}");

    private string Name(string kind) => $"{kind}{++_number}";

    private string Log(string name) => Path.Combine(folder, "logs", name + ".log");
}

/// <summary>Telemetry of a measured server.</summary>
internal enum TelemetryUse
{
    /// <summary>As it comes: nothing is exported, so nothing listens.</summary>
    Off,

    /// <summary>There are not even meters: what the others are compared with.</summary>
    Removed,

    /// <summary>All is exported, and a part of the traces sampled.</summary>
    Sampled,
}

using Mcp.HighAvailability.Lab.Processes;

namespace Mcp.HighAvailability.Lab.Up;

/// <summary>The store, replicas and balancers as processes of their own.</summary>
internal sealed class ProcessCluster : IAsyncDisposable
{
    private static readonly TimeSpan StopGrace = TimeSpan.FromSeconds(8);

    // Nothing here looks at the health of balancers.
    private static readonly TimeSpan BalancerDrainTime = TimeSpan.FromSeconds(1);

    // Behind nginx only nginx notices a frozen replica, so its time-out is short.
    private static readonly TimeSpan KeepAliveBehindNginx = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan SilenceBehindNginx = TimeSpan.FromSeconds(5);

    private readonly UpOptions _options;
    private readonly ServerProgram _server;
    private readonly LocalStore? _store;
    private readonly Action<string> _say;
    private readonly Action _changed;
    private readonly Telemetry? _telemetry;
    private readonly string _redis;
    private readonly List<Member> _stores = [];
    private readonly List<Member> _replicas = [];
    private readonly List<Member> _balancers = [];
    private readonly List<Member> _fronts = [];

    /// <param name="options">What was asked for.</param>
    /// <param name="server">What the replicas run.</param>
    /// <param name="store">The store to start; <see langword="null"/>: the options name one.</param>
    /// <param name="dashboard">The dashboard to start along with it, if any.</param>
    /// <param name="say">Takes a line about what happens.</param>
    /// <param name="changed">Called after every change of a member.</param>
    public ProcessCluster(UpOptions options, ServerProgram server, LocalStore? store, AspireDashboard? dashboard, Action<string> say, Action changed)
    {
        _options = options;
        _server = server;
        _store = store;
        _say = say;
        _changed = changed;
        _telemetry = dashboard?.Telemetry;
        Dashboard = dashboard?.Url;

        var redisPort = store is null ? 0 : Ports.Free();
        _redis = options.Redis ?? $"127.0.0.1:{redisPort}";
        if (store is not null)
            Add(_stores, Role.Redis, () => RedisLaunch(store, redisPort));
        if (dashboard is not null)
            Add(_stores, Role.Dashboard, () => dashboard.Launch(Log("dashboard")));
        List<Uri> behindNginx = [];
        for (var number = 1; number <= options.Replicas; number++)
        {
            var name = $"server{number}";
            // An nginx knows its servers by address.
            var port = options.Nginx == NginxFront.Replicas ? Ports.Free() : (int?)null;
            if (port is not null)
                behindNginx.Add(Address(port.Value));
            Add(_replicas, Role.Replica, () => ReplicaLaunch(name, port ?? Ports.Free()));
        }

        for (var number = 1; number <= options.Balancers; number++)
        {
            var name = $"balancer{number}";
            var port = options.Port + number - 1;
            if (options.Nginx == NginxFront.Balancers)
                behindNginx.Add(Address(port));
            Add(_balancers, Role.Balancer, () => BalancerLaunch(name, port));
        }

        if (options.Nginx != NginxFront.None)
            Add(_fronts, Role.Nginx, () => NginxLaunch(behindNginx));
    }

    private Uri? Dashboard { get; }

    /// <summary>The processes that run or should run.</summary>
    public IReadOnlyList<MemberStatus> Members => [.. All.Select(member => member.Status)];

    private IEnumerable<Member> All => [.. _stores, .. _replicas, .. _balancers, .. _fronts];

    /// <summary>How long everything that is told to end together may take for what it has under way.</summary>
    public TimeSpan StopTimeout => StopGrace;

    /// <summary>One-line description of this cluster.</summary>
    public static string Describe(UpOptions options, LocalStore? store) =>
        $"Starting {Plural(options.Replicas, "replica")} and {Plural(options.Balancers, "balancer")} as processes, " +
        (store is null ? $"on the Redis at {RedisConnection.Addresses(options.Redis!)}." : $"with {store.Description}.");

    /// <summary>Starts it; completes when all members are healthy.</summary>
    /// <exception cref="LabException">A member did not start.</exception>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        if (_options.Redis is not null)
            await RedisConnection.CheckAsync(_options.Redis);

        // The first failure decides; the others are not waited for.
        using var failing = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        foreach (IEnumerable<Member> wave in (IEnumerable<Member>[])[_stores, [.. _replicas, .. _balancers], _fronts])
        {
            var starts = wave.Select(member => member.StartAsync(failing.Token)).ToList();
            try
            {
                await foreach (var start in Task.WhenEach(starts))
                    await start;
            }
            catch
            {
                await failing.CancelAsync();
                await Task.WhenAll(starts).ContinueWith(static _ => { }, TaskScheduler.Default);
                throw;
            }
        }
    }

    /// <summary>Sends a member a signal; ignored if it is down.</summary>
    public void Send(string id, Signal signal) => All.FirstOrDefault(member => member.Status.Id == id)?.Send(signal);

    /// <summary>The cluster as other programs see it: only what is healthy.</summary>
    public ClusterFile ToFile()
    {
        var healthy = Members.Where(member => member is { State: MemberState.Healthy, ProcessId: not null }).ToLookup(member => member.Role);
        var redis = healthy[Role.Redis].FirstOrDefault();
        return new(
            new Uri(Address(_options.Port), "/mcp"),
            [.. healthy[Role.Balancer].Select(member => new ClusterFile.BalancerEntry(member.ProcessId!.Value, member.Url!))],
            [.. healthy[Role.Replica].Select(member => new ClusterFile.ReplicaEntry(member.Id, member.ProcessId!.Value, member.Url!))],
            healthy[Role.Nginx].Select(member => new ClusterFile.NginxEntry(member.ProcessId!.Value, member.Url!)).FirstOrDefault(),
            _store is not null && redis is null ? null : new(redis?.ProcessId, _redis),
            healthy[Role.Dashboard].FirstOrDefault() is null ? null : Dashboard);
    }

    public async ValueTask DisposeAsync()
    {
        // The way in first, what the others lean on last.
        foreach (var wave in (List<Member>[])[_fronts, _balancers, _replicas, _stores])
            await Task.WhenAll(wave.Select(member => member.StopAsync(StopGrace)));
    }

    private void Add(List<Member> members, Role role, Func<Launch> launch) =>
        members.Add(new Member(role, launch, _options.RestartAfter, _say, _changed));

    private Launch RedisLaunch(LocalStore store, int port) => new(
        "redis",
        new UriBuilder("redis", "127.0.0.1", port).Uri,
        store.At(port, Path.Combine(_options.Folder, "redis"), Log("redis")),
        cancellationToken => Probe.RedisAsync(port, cancellationToken));

    private Launch ReplicaLaunch(string name, int port)
    {
        var id = $"{name}-{Random.Shared.Next(0x10000):x4}";
        var url = Address(port);
        var environment = Settings(name, id);
        environment["HighAvailability__ReplicaId"] = id;
        environment["HighAvailability__AdvertisedAddress"] = url.GetLeftPart(UriPartial.Authority);
        if (_options.Nginx == NginxFront.Replicas)
            environment["HighAvailability__KeepAlive"] = $"{KeepAliveBehindNginx:c}";
        return new(
            id,
            url,
            _server.Program.At(name, url, environment, Log(name)),
            cancellationToken => _server.HasHealth ? Probe.HealthAsync(url, cancellationToken) : Probe.AnswersAsync(url, cancellationToken));
    }

    private Launch BalancerLaunch(string name, int port)
    {
        var url = Address(port);
        var environment = Settings(name, name);
        if (Environment.GetEnvironmentVariable("Balancer__DrainTime") is null)
            environment["Balancer__DrainTime"] = $"{BalancerDrainTime:c}";
        if (Dashboard is not null)
            environment["Balancer__Dashboard"] = Dashboard.GetLeftPart(UriPartial.Authority);
        return new(
            name,
            url,
            SolutionProgram.Balancer.At(name, url, environment, Log(name)),
            cancellationToken => Probe.HealthAsync(url, cancellationToken));
    }

    private Launch NginxLaunch(IReadOnlyList<Uri> servers)
    {
        var url = Address(_options.NginxPort);
        return new(
            "nginx",
            url,
            Nginx.At(
                _options.NginxPort,
                servers,
                Path.Combine(_options.Folder, "nginx"),
                Log("nginx"),
                _options.Nginx == NginxFront.Replicas ? SilenceBehindNginx : null,
                _options.Nginx == NginxFront.Balancers),
            cancellationToken => Probe.AnswersAsync(url, cancellationToken));
    }

    private Dictionary<string, string?> Settings(string service, string instance)
    {
        var settings = new Dictionary<string, string?>
        {
            ["ConnectionStrings__redis"] = _redis,
            ["HighAvailability__Application"] = "lab", // a server of another name meets the lab's balancer
            ["OTEL_SERVICE_NAME"] = service,
            ["OTEL_RESOURCE_ATTRIBUTES"] = $"service.instance.id={instance}",
        };
        _telemetry?.AddTo(settings);
        return settings;
    }

    private string Log(string name) => Path.Combine(_options.Folder, "logs", name + ".log");

    private static Uri Address(int port) => new($"http://127.0.0.1:{port}");

    internal static string Plural(int count, string noun) => count == 1 ? $"1 {noun}" : $"{count} {noun}s";
}

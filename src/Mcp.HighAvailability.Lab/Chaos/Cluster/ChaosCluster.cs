using Mcp.HighAvailability.Lab.Chaos.History;
using Mcp.HighAvailability.Lab.Chaos.Mutations;
using Mcp.HighAvailability.Lab.Processes;
using Mcp.HighAvailability.Lab.Up;
using NginxServer = Mcp.HighAvailability.Lab.Processes.Nginx;

namespace Mcp.HighAvailability.Lab.Chaos.Cluster;

/// <summary>The cluster under test: real processes, started again at once when they die.</summary>
internal sealed class ChaosCluster : IAsyncDisposable
{
    private static readonly TimeSpan StopGrace = TimeSpan.FromSeconds(3);

    private const string DrainTimeout = "HighAvailability__DrainTimeout";

    private readonly ChaosOptions _options;

    public ChaosCluster(ChaosOptions options, ServerProgram server, LocalStore store, Action<string> say)
    {
        _options = options;
        Redis = new RedisNode(store, Path.Combine(options.Folder, "redis"), Log("redis"), say);
        State = new ClusterState(Redis.Port);

        var mutation = options.Mutation is { } name ? Mutation.Environment(name) : new Dictionary<string, string?>();
        var environment = new Dictionary<string, string?>(mutation)
        {
            ["Server__DeliveryLog"] = DeliveryLog,

            // A tool that must not run twice is a task as well, for clients that support tasks.
            ["HighAvailability__Tasks__Tools__deliver"] = "Always",
            ["OTEL_EXPORTER_OTLP_ENDPOINT"] = null,

            // No issuer runs here that could give the clients tokens.
            ["Bearer__Enabled"] = "false",
            ["Bearer__Authority"] = "",
            ["Bearer__Resource"] = "",

            // Sessions that are busy all the time use all of it; with the default a run would mostly wait for replicas that end.
            [DrainTimeout] = Environment.GetEnvironmentVariable(DrainTimeout) ?? "00:00:08",
        };
        var withLinks = options.Kinds.Contains(FaultKind.Cut);
        for (var number = 1; number <= options.Replicas; number++)
            Replicas.Add(new Replica($"server{number}",
                new ReplicaSettings(server, Redis.Port, withLinks, options.Direct, environment, Log, () => Replicas.Any(replica => replica.IsUp)), say));
        if (options.Direct)
            Nginx = NewNginx(say);
        for (var number = 1; !options.Direct && number <= options.Balancers; number++)
            Balancers.Add(NewBalancer($"balancer{number}", Ports.Free(), mutation, say));
    }

    public RedisNode Redis { get; }

    public List<Replica> Replicas { get; } = [];

    public List<Member> Balancers { get; } = [];

    /// <summary>Endpoint of clients without the balancer.</summary>
    private Member? Nginx { get; }

    /// <summary>The processes that run.</summary>
    public IEnumerable<Member> Members => [Redis.Member, .. Replicas.Select(replica => replica.Member), .. Fronts];

    private IEnumerable<Member> Fronts => Nginx is null ? Balancers : [Nginx];

    /// <summary>State of the cluster in Redis.</summary>
    public ClusterState State { get; }

    /// <summary>Where clients connect: to any of these.</summary>
    public IReadOnlyList<Uri> Route { get; private set; } = [];

    /// <summary>Where the sample's <c>deliver</c> leaves its marks.</summary>
    public string DeliveryLog => Path.Combine(_options.Folder, "deliveries");

    /// <summary>Starts everything and waits until it is whole.</summary>
    /// <exception cref="LabException">Something does not start.</exception>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        await Redis.Member.StartAsync(cancellationToken);
        await Task.WhenAll(Replicas.Select(replica => replica.Member).Concat(Fronts).Select(member => member.StartAsync(cancellationToken)));
        Route = [.. Fronts.Select(front => new Uri(front.Status.Url!, "/mcp"))];
        try
        {
            await States.UntilAsync(IsWholeAsync, "all replicas to be registered in Redis", cancellationToken);
        }
        catch (NotRecoveredException)
        {
            throw new LabException(
                $"The replicas run, but do not register in Redis at 127.0.0.1:{Redis.Port}: the server has to use WithHighAvailability(ha => " +
                    $"ha.UseRedis()) without a KeyPrefix, on ConnectionStrings:redis. Logs: {LogFolder}");
        }
    }

    /// <summary>Whether everything runs and every replica is registered.</summary>
    public async Task<bool> IsWholeAsync(CancellationToken cancellationToken) =>
        Redis.IsUp && Fronts.All(front => front.Status.State == MemberState.Healthy) && Replicas.All(replica => replica.IsUp)
        && await State.RegisteredAsync(cancellationToken) is { } registered && Replicas.All(replica => registered.Contains(replica.Id));

    /// <summary>Whether a replica runs and is registered.</summary>
    public async Task<bool> IsServingAsync(Replica replica, CancellationToken cancellationToken) =>
        replica.IsUp && await State.RegisteredAsync(cancellationToken) is { } registered && registered.Contains(replica.Id);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await State.DisposeAsync();
        await Task.WhenAll(Fronts.Select(front => front.StopAsync(StopGrace)));
        foreach (var replica in Replicas)
            replica.Restore();
        await Task.WhenAll(Replicas.Select(replica => replica.Member.StopAsync(StopGrace)));
        await Redis.Member.StopAsync(StopGrace);
        foreach (var replica in Replicas)
            await replica.DisposeAsync();
        if (Directory.Exists(Path.Combine(_options.Folder, "redis")))
            Directory.Delete(Path.Combine(_options.Folder, "redis"), recursive: true);
    }

    private string LogFolder => Path.Combine(_options.Folder, "logs");

    private string Log(string name) => Path.Combine(LogFolder, name + ".log");

    private Member NewNginx(Action<string> say)
    {
        var url = new Uri($"http://127.0.0.1:{Ports.Free()}");
        var folder = Path.Combine(_options.Folder, "nginx");
        List<Uri> servers = [.. Replicas.Select(replica => replica.Address!)];
        return new Member(
            Role.Nginx,
            () => new Launch(
                "nginx", url, NginxServer.At(url.Port, servers, folder, Log("nginx")), cancellationToken => Probe.AnswersAsync(url, cancellationToken)),
            restartAfter: TimeSpan.Zero,
            say,
            static () => { });
    }

    private Member NewBalancer(string name, int port, IReadOnlyDictionary<string, string?> mutation, Action<string> say)
    {
        var url = new Uri($"http://127.0.0.1:{port}");
        var environment = new Dictionary<string, string?>(mutation)
        {
            ["ConnectionStrings__redis"] = $"127.0.0.1:{Redis.Port}",
            ["HighAvailability__Application"] = ClusterState.Application,
            ["OTEL_SERVICE_NAME"] = name,
            ["OTEL_RESOURCE_ATTRIBUTES"] = $"service.instance.id={name}",
            ["OTEL_EXPORTER_OTLP_ENDPOINT"] = null,
        };
        var launch = new Launch(
            name, url, SolutionProgram.Balancer.At(name, url, environment, Log(name)), cancellationToken => Probe.HealthAsync(url, cancellationToken));
        return new Member(Role.Balancer, () => launch, restartAfter: TimeSpan.Zero, say, static () => { }, static _ => Task.CompletedTask);
    }
}

using McpHa.Balancer.Routing;
using McpHa.Lab.Processes;
using McpHa.Server;
#if (!noAuth)
using McpHa.Server.Authentication;
#endif
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace McpHa.Lab.Up;

/// <summary>
/// Replicas and balancers as web servers of their own within this process, on shared memory: what is possible without a Redis. Sessions
/// move between the replicas as ever when one is stopped; nothing survives the end of the process.
/// </summary>
internal sealed class OneProcessCluster(UpOptions options, AspireDashboard? dashboard, Action<string> say, Action changed) : ICluster
{
    private static readonly TimeSpan StopGrace = TimeSpan.FromSeconds(8);

    private readonly SharedMemory _memory = new();
    private readonly CancellationTokenSource _stopping = new();
    private readonly Member? _dashboard = dashboard is null
        ? null
        : new(Role.Dashboard, () => dashboard!.Launch(Path.Combine(options.Folder, "logs", "dashboard.log")), options.RestartAfter, say, changed);

    private readonly List<Slot> _slots =
    [
        .. Enumerable.Range(1, options.Replicas).Select(number => new Slot(Role.Replica, $"server{number}", 0)),
        .. Enumerable.Range(1, options.Balancers).Select(number => new Slot(Role.Balancer, $"balancer{number}", options.Port + number - 1)),
    ];

    public IReadOnlyList<MemberStatus> Members => [.. _dashboard is null ? [] : new[] { _dashboard.Status }, .. _slots.Select(slot => slot.Status)];

    public TimeSpan Patience => StopGrace;

    /// <summary>What this cluster is, and why, in one line.</summary>
    public static string Describe(UpOptions options) =>
        $"Starting {ProcessCluster.Plural(options.Replicas, "replica")} and {ProcessCluster.Plural(options.Balancers, "balancer")} in ONE process, in memory, " +
        "because there is no redis-server on PATH: stopping a replica can be seen, killing a single one cannot.";

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        if (_dashboard is not null)
            await _dashboard.StartAsync(cancellationToken);
        foreach (var slot in _slots)
            await StartAsync(slot, cancellationToken);
    }

    public void Send(string id, Signal signal)
    {
        if (_slots.FirstOrDefault(slot => slot.Status.Id == id) is not { App: not null } slot)
            return;
        if (signal == Signal.Kill)
            say($"{id} shares this process: it is stopped instead of killed");
        _ = ReplaceAsync(slot);
    }

    public ClusterFile ToFile()
    {
        var healthy = Members.Where(member => member is { State: MemberState.Healthy, ProcessId: not null }).ToLookup(member => member.Role);
        return new(
            new Uri($"http://127.0.0.1:{options.Port}/mcp"),
            [.. healthy[Role.Balancer].Select(member => new ClusterFile.BalancerEntry(member.ProcessId!.Value, member.Url!))],
            [.. healthy[Role.Replica].Select(member => new ClusterFile.ReplicaEntry(member.Id, member.ProcessId!.Value, member.Url!))],
            Nginx: null,
            Redis: null,
            healthy[Role.Dashboard].Any() ? dashboard!.Url : null);
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        foreach (var slot in _slots.AsEnumerable().Reverse())
            await EndAsync(slot);
        if (_dashboard is not null)
            await _dashboard.StopAsync(StopGrace);
        await _memory.DisposeAsync();
    }

    private async Task StartAsync(Slot slot, CancellationToken cancellationToken)
    {
        var id = slot.Role == Role.Replica ? $"{slot.Name}-{Random.Shared.Next(0x10000):x4}" : slot.Name;
        var url = new Uri($"http://127.0.0.1:{(slot.Port == 0 ? Ports.Free() : slot.Port)}");
        Set(slot, new(slot.Role, id, url, Environment.ProcessId, MemberState.Starting, slot.Status.Starts + 1));
        var app = slot.App = slot.Role == Role.Replica ? BuildReplica(slot.Name, id, url) : BuildBalancer(slot.Name, url);
        await app.StartAsync(cancellationToken);
        while (!await Probe.HealthAsync(url, cancellationToken))
            await Task.Delay(50, cancellationToken);
        Set(slot, slot.Status with { State = MemberState.Healthy });
    }

    private async Task ReplaceAsync(Slot slot)
    {
        try
        {
            Set(slot, slot.Status with { ProcessId = null, State = MemberState.Down });
            await EndAsync(slot);
            if (options.RestartAfter is not { } delay)
            {
                say($"{slot.Status.Id} was stopped; it stays down");
                return;
            }

            say($"{slot.Status.Id} was stopped; it is replaced in {delay.TotalSeconds:0.###} s");
            await Task.Delay(delay, _stopping.Token);
            await StartAsync(slot, _stopping.Token);
            say($"{slot.Status.Id} serves at {slot.Status.Url!.GetLeftPart(UriPartial.Authority)}");
        }
        catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
        {
            // The cluster ends.
        }
    }

    private static async Task EndAsync(Slot slot)
    {
        if (Interlocked.Exchange(ref slot.App, null) is not { } app)
            return;
        using var grace = new CancellationTokenSource(StopGrace);
        await app.StopAsync(grace.Token);
        await app.DisposeAsync();
    }

    private WebApplication BuildReplica(string name, string id, Uri url)
    {
        var builder = CreateBuilder(SolutionProgram.Server, name, "server", id, url);
        builder.Configuration["HighAvailability:ReplicaId"] = id;
        builder.Configuration["HighAvailability:AdvertisedAddress"] = url.GetLeftPart(UriPartial.Authority);

#if (!noAuth)
        builder.AddBearerAuthentication();
#endif
        builder.Services.AddMcpServer().WithHighAvailability().WithFeatures();

        var app = builder.Build();
#if (noAuth)
        app.MapHighlyAvailableMcp("/mcp");
#else
        app.MapHighlyAvailableMcp("/mcp").RequireBearer(app);
#endif
        app.MapDefaultEndpoints();
        return app;
    }

    private WebApplication BuildBalancer(string name, Uri url)
    {
        var builder = CreateBuilder(SolutionProgram.Balancer, name, "balancer", name, url);
        builder.Configuration["Balancer:DrainTime"] = "00:00:00"; // nothing here looks at the health of balancers
        if (dashboard is not null)
            builder.Configuration["Balancer:Dashboard"] = dashboard.Url.GetLeftPart(UriPartial.Authority);
        builder.Services.AddBalancer();
        var app = builder.Build();
        app.MapDefaultEndpoints();
        app.MapBalancer();
        return app;
    }

    private WebApplicationBuilder CreateBuilder(SolutionProgram program, string name, string service, string instance, Uri url)
    {
        var builder = WebApplication.CreateBuilder(new WebApplicationOptions { ContentRootPath = program.Folder });
        var settings = new Dictionary<string, string?>
        {
            ["urls"] = url.GetLeftPart(UriPartial.Authority),
            ["OTEL_SERVICE_NAME"] = service,
            ["OTEL_RESOURCE_ATTRIBUTES"] = $"service.instance.id={instance}",
        };
        dashboard?.Telemetry.AddTo(settings);
        builder.Configuration.AddInMemoryCollection(settings);
        builder.Logging.ClearProviders();
        builder.Logging.AddProvider(new FileLoggerProvider(Path.Combine(options.Folder, "logs", name + ".log")));
        builder.AddServiceDefaults();

        // Lab ends its hosts, in order; a host that ended itself on Ctrl-C would get ahead of it.
        builder.Services.AddSingleton<IHostLifetime, NoLifetime>();
        _memory.AddTo(builder.Services);
        return builder;
    }

    private void Set(Slot slot, MemberStatus status)
    {
        slot.Status = status;
        changed();
    }

    private sealed class Slot(Role role, string name, int port)
    {
        public WebApplication? App;

        public Role Role { get; } = role;

        public string Name { get; } = name;

        /// <summary>0: another free one at every start.</summary>
        public int Port { get; } = port;

        public MemberStatus Status { get; set; } = new(role, name, null, null, MemberState.Starting, 0);
    }

    private sealed class NoLifetime : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}

using System.Collections.Concurrent;
using System.Net;
using Mcp.HighAvailability;
using Mcp.HighAvailability.Broadcast;
using Mcp.HighAvailability.Cluster;
using Mcp.HighAvailability.Diagnostics;
using Mcp.HighAvailability.Http;
using Mcp.HighAvailability.Lab.Chaos.Mutations;
using Mcp.HighAvailability.Limits;
using Mcp.HighAvailability.Sessions;
using Mcp.HighAvailability.Storage;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Hosting.Internal;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using ModelContextProtocol.Server;
using PeerRelay = Mcp.HighAvailability.Relay.Relay;

namespace McpHa.Tests;

/// <summary>One replica of a <see cref="World"/>: all of the real one from the HTTP endpoint down to the store, without a network and without a clock.</summary>
internal sealed class ExploredReplica
{
    private static readonly ConcurrentDictionary<(string Id, bool RerunAnyway), ServiceProvider> Providers = new();

    public ExploredReplica(string id, string without, Scheduler scheduler, ManualTime time, InMemorySessions sessions, IBroadcastLog log, GatedBus bus, Ledger ledger, EverybodyBeats registry)
    {
        var services = Providers.GetOrAdd((id, without == "RerunPolicy"), static key => Provide(key.Id, key.RerunAnyway));
        var options = services.GetRequiredService<IOptions<HighAvailabilityOptions>>();
        var storeOptions = services.GetRequiredService<IOptions<SessionStoreOptions>>();
        var kept = new InMemorySessionStore(sessions);
        var gated = new GatedStore(WriteBacks.InStore(without, kept, sessions) ?? kept, id, scheduler, ledger);
        var store = MutatedStore.Without(without, gated) ?? WriteBacks.InReplica(without, gated) ?? gated;
        var metrics = services.GetRequiredService<SessionMetrics>();
        var self = new SelfReplica(options, new NoServer(), time);
        var toBus = bus.Of(id);
        (Id, Self) = (id, self);
        // Who is suspected is chosen, never a matter of time.
        var clusterOptions = Options.Create(new ClusterOptions { HeartbeatInterval = TimeSpan.FromSeconds(15), Overdue = TimeSpan.FromHours(1) });
        Directory = new ReplicaDirectory(
            WriteBacks.InRegistry(without, registry) ?? registry, clusterOptions, time, NullLogger<ReplicaDirectory>.Instance, self);
        Broadcasts = new BroadcastFollower(
            new GatedBroadcastLog(log, id, scheduler), toBus, Options.Create(new BroadcastOptions()), time, NullLogger<BroadcastFollower>.Instance);
        var runtime = new SessionRuntime(
            self, store, new GatedJournal(new InMemorySessionJournal(sessions), id, scheduler),
            new CommitContext(store, toBus, time, metrics, options, storeOptions, NullLogger<CommitWriter>.Instance), new LazyFlusher(time), Broadcasts, metrics, options,
            services.GetRequiredService<IOptions<McpServerOptions>>(), NullLoggerFactory.Instance, services, time);
        Host = new SessionHost(runtime, Directory, toBus, NullLogger<SessionHost>.Instance);
        var gate = new SessionGate(Host, self, Directory, services.GetRequiredService<PeerRelay>(), metrics, time, options);
        var keepAlive = new KeepAliveClock(options, time);
        var limits = new SessionLimits(Host, new(time, NullLogger<Refusals>.Instance));
        Endpoint = new McpEndpoint(
            Host, gate, services.GetRequiredService<StatelessEndpoint>(), limits,
            new RequestBodies(new BodyBudget(null, 0, "")), keepAlive, metrics, time, options);
        _ = new OwnershipWatch(toBus, Host, [], self, Directory, time, NullLogger<OwnershipWatch>.Instance).StartAsync(default);
    }

    public string Id { get; }

    public SelfReplica Self { get; }

    public ReplicaDirectory Directory { get; }

    public SessionHost Host { get; }

    public BroadcastFollower Broadcasts { get; }

    public McpEndpoint Endpoint { get; }

    public bool Dead { get; set; }

    public static ReplicaInfo Info(string id) => new(id, new Uri("http://" + IPAddress.Loopback), false, 0, 0, DateTimeOffset.UnixEpoch, "1", 1);

    private static ServiceProvider Provide(string id, bool rerunAnyway)
    {
        var services = new ServiceCollection();
        services.AddLogging();
        services.AddSingleton(new Slot(id));
        services.AddMcpServer(o => o.ServerInfo = new() { Name = "explored", Version = "1" })
            .WithHighAvailability(ha => ha.Configure(o =>
            {
                o.ReplicaId = id;
                o.AdvertisedAddress = new Uri("http://127.0.0.1:1");
                // Time passes as it is chosen, and relays of this world send an exchange again for as long as it lasts.
                o.HoldTime = TimeSpan.FromMinutes(10);
                o.MaxReplicaLosses = 100;
            }))
            .WithTools<ExploredTools>();
        services.AddSingleton<IServer, NoServer>();
        services.AddSingleton<IHostApplicationLifetime, ApplicationLifetime>();
        if (rerunAnyway)
            services.PostConfigure<McpServerOptions>(RerunAnyway.Wrap);
        return services.BuildServiceProvider();
    }
}

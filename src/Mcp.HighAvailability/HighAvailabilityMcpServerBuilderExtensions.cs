using System.Diagnostics.Metrics;
using Mcp.HighAvailability;
using Mcp.HighAvailability.Broadcast;
using Mcp.HighAvailability.Cluster;
using Mcp.HighAvailability.Diagnostics;
using Mcp.HighAvailability.Http;
using Mcp.HighAvailability.Limits;
using Mcp.HighAvailability.Relay;
using Mcp.HighAvailability.Security;
using Mcp.HighAvailability.Sessions;
using Mcp.HighAvailability.Storage;
using Mcp.HighAvailability.Tasks;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using ModelContextProtocol.Protocol;
using ModelContextProtocol.Server;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Makes an MCP server highly available.</summary>
public static class HighAvailabilityMcpServerBuilderExtensions
{
    /// <summary>
    /// Lets the server's sessions survive the loss of its replicas, and keeps the data protection keys of the application (cookies, antiforgery) in the same
    /// store, unless the application has set where they are kept. Without a backend (<c>ha => ha.UseRedis()</c>) everything is kept in
    /// the memory of this one process. Map it with <c>app.MapHighlyAvailableMcp()</c>.
    /// </summary>
    public static IMcpServerBuilder WithHighAvailability(this IMcpServerBuilder builder, Action<HighAvailabilityBuilder>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        var services = builder.Services;
        configure?.Invoke(new HighAvailabilityBuilder(services));
        services.TryAddInMemoryBackend();
        services.AddMetrics();
        services.AddRelay();
        AddOptions(services);

        services.TryAddEnumerable(ServiceDescriptor.Singleton<IHostedService, FailoverWarmUp>());
        services.TryAddSingleton<SelfReplica>();
        services.TryAddSingleton<ISelfReplica>(static p => p.GetRequiredService<SelfReplica>());
        services.TryAddSingleton<IReplicaContext, ReplicaContext>();
        services.TryAddSingleton<ISessionState, SessionState>();
        services.TryAddSingleton(static p => new SessionMetrics(p.GetRequiredService<IMeterFactory>()));
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IStartsAtZero, SessionMetrics>(static p => p.GetRequiredService<SessionMetrics>()));
        services.TryAddSingleton<LazyFlusher>();
        services.TryAddSingleton<CommitContext>();
        services.TryAddSingleton<BroadcastFollower>();
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IHostedService, BroadcastFollower>(static p => p.GetRequiredService<BroadcastFollower>()));
        services.TryAddSingleton<BroadcastPublisher>();
        services.AddOptions<SessionHookOptions>();
        services.TryAddSingleton<KeptIdentity>();
        services.TryAddSingleton<SessionHooks>();
        services.TryAddSingleton<SessionRuntime>();
        services.TryAddSingleton<SessionHost>();
        services.TryAddSingleton<HeldStateHandles>();
        services.TryAddSingleton<StateHandleFilter>();
        AddAuthorizationFilters(builder);
        services.TryAddSingleton(static p => new PrimitiveAuthorization(p.GetService<IAuthorizationPolicyProvider>()));
        services.TryAddSingleton<Polling>();
        services.AddClusterDataProtection();
        services.TryAddSingleton<RequestStates>();
        services.TryAddSingleton<RequestStateExchange>();
        services.TryAddSingleton<ListenStreams>();
        services.TryAddSingleton<IDrainedStreams>(static provider => provider.GetRequiredService<ListenStreams>());
        services.TryAddSingleton<StatelessCalls>();
        services.TryAddSingleton<StatelessTransport>();
        services.TryAddSingleton<StatelessEndpoint>();
        services.TryAddSingleton<KeepAliveClock>();
        services.TryAddSingleton<SessionGate>();
        services.TryAddSingleton<SessionLimits>();
        services.TryAddSingleton(static p => new RequestBodies(new BodyBudget(
            p.GetRequiredService<IOptions<LimitOptions>>().Value.BodyBytes,
            p.GetRequiredService<IOptions<HighAvailabilityOptions>>().Value.MaxRequestBodySize,
            $"{LimitOptions.SectionName}:BodyBytes",
            p.GetRequiredService<IMeterFactory>())));
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IStartsAtZero, BodyBudget>(static p => p.GetRequiredService<RequestBodies>().Budget));
        services.TryAddSingleton<McpEndpoint>();
        services.TryAddSingleton<LegacySseEndpoint>();
        services.TryAddSingleton<UnheardSessions>();
        services.TryAddEnumerable(ServiceDescriptor.Singleton<ISessionObserver, UnheardSessions>(static p => p.GetRequiredService<UnheardSessions>()));
        services.AddCors();
        services.TryAddSingleton(static p => new AccessGuard(
            p.GetRequiredService<IOptions<HighAvailabilityOptions>>(), p.GetRequiredService<SelfReplica>(), p.GetRequiredService<ILogger<AccessGuard>>(),
                p.GetService<IConfiguration>()));
        services.TryAddSingleton(static p =>
        {
            var limits = p.GetRequiredService<IOptions<LimitOptions>>().Value;
            return new RequestRate(limits.RequestsPerSecond, limits.Burst, $"{LimitOptions.SectionName}:RequestsPerSecond",
                p.GetRequiredService<Refusals>(), p.GetRequiredService<TimeProvider>());
        });
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IStartupFilter, TrustedHops>());
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IStartupFilter, CrossOrigin>());
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IStartupFilter, ProbeEndpoint>());
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IStartupFilter, PeerEndpoint>());
        services.TryAddSingleton<SessionDelivery>();
        services.TryAddSingleton<PeerClient>();
        services.TryAddSingleton<IMcpSessions, McpSessions>();
        services.TryAddSingleton<IClusterNotifier, ClusterNotifier>();
        services.TryAddSingleton<IClusterEvents, ClusterEvents>();
        services.TryAddSingleton<ListChanges>();
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IHostedService, ListChanges>(static p => p.GetRequiredService<ListChanges>()));
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IHostedService, HealthEndpointCheck>());
        services.TryAddSingleton<SessionOffers>();
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IHostedService, SessionOffers>(static p => p.GetRequiredService<SessionOffers>()));
        services.TryAddSingleton<LateRequests>();
        services.TryAddSingleton<ReplicaDrain>();
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IHostedService, DrainService>());
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IHostedService, OperationsListener>());
        services.TryAddSingleton<DrainHealthCheck>();
        services.AddHealthChecks();
        services.Configure<HealthCheckServiceOptions>(static checks =>
        {
            // Once, however often this is called.
            if (!checks.Registrations.Any(check => check.Name == DrainHealthCheck.Name))
                checks.Registrations.Add(new(DrainHealthCheck.Name, static p => p.GetRequiredService<DrainHealthCheck>(), null, null));
        });
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IHostedService, OwnershipWatch>());
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IHostedService, IdleSweep>());
        services.AddTasks();
        return builder;
    }

    /// <summary>Changes settings in code, after the configuration section <c>HighAvailability</c> was read.</summary>
    public static HighAvailabilityBuilder Configure(this HighAvailabilityBuilder builder, Action<HighAvailabilityOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.Services.Configure(configure);
        return builder;
    }

    // The SDK's filters for [Authorize], always, and in front of the application's: a filter that answers by itself must not get around them.
    private static void AddAuthorizationFilters(IMcpServerBuilder builder)
    {
        var services = builder.Services;
        if (services.Any(static service => service.ServiceType == typeof(PrimitiveAuthorization)))
            return;
        var before = services.Count;
        builder.AddAuthorizationFilters();
        var filters = services.Skip(before).Single(static service => service.ServiceType == typeof(IConfigureOptions<McpServerOptions>));
        services.Remove(filters);
        services.Insert(0, filters);
    }

    private static void AddOptions(IServiceCollection services)
    {
        // Inserted first, so that what the user's code sets wins over the configuration.
        Bind<HighAvailabilityOptions>("");
        Bind<SessionStoreOptions>(":Sessions");
        Bind<StateHandleOptions>(":StateHandles");
        Bind<TaskOptions>(":Tasks");
        Bind<ClusterOptions>(":Cluster");
        Bind<RelayOptions>(":Relay");
        Bind<LimitOptions>(":Limits");
        Bind<BroadcastOptions>(":Broadcasts");
        services.AddOptions<BroadcastOptions>().ValidateOnStart();
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<BroadcastOptions>, BroadcastOptionsValidator>());
        services.TryAddSingleton<PriorKnowledge>();
        services.Insert(0, ServiceDescriptor.Singleton<IConfigureOptions<KestrelServerOptions>>(static p =>
            new ConfigureNamedOptions<KestrelServerOptions>(Options.Options.DefaultName, server =>
                server.ConfigureEndpointDefaults(p.GetRequiredService<PriorKnowledge>().Offer))));
        services.AddOptions<SessionStoreOptions>().ValidateOnStart();
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<SessionStoreOptions>, SessionStoreOptionsValidator>());
        services.AddOptions<LimitOptions>().ValidateOnStart();
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<LimitOptions>, LimitOptionsValidator>());
        services.AddOptions<KestrelServerOptions>().Configure<IOptions<LimitOptions>>(static (server, limits) =>
            server.Limits.MaxRequestHeadersTotalSize = limits.Value.HeaderBytes);
        services.AddOptions<HighAvailabilityOptions>().ValidateOnStart();
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<HighAvailabilityOptions>, HighAvailabilityOptionsValidator>());
        services.AddOptions<RelayOptions>().Configure<IOptions<HighAvailabilityOptions>>(static (relay, ha) => relay.KeepAlive = ha.Value.KeepAlive);
        services.AddOptions<McpServerOptions>().PostConfigure<StateHandleFilter, PrimitiveAuthorization, Polling>(Prepare);
        services.AddOptions<HostOptions>().PostConfigure<IOptions<HighAvailabilityOptions>>(static (host, ha) =>
        {
            var needed = ha.Value.DrainTimeout + TimeSpan.FromSeconds(10);
            if (host.ShutdownTimeout < needed)
                host.ShutdownTimeout = needed;
        });

        void Bind<T>(string part) where T : class => services.Insert(0, ServiceDescriptor.Singleton<IConfigureOptions<T>>(p =>
            new ConfigureNamedOptions<T>(Options.Options.DefaultName, o =>
            {
                if (p.GetService<IConfiguration>() is not { } configuration)
                    return;
                try
                {
                    configuration.GetSection(HighAvailabilityOptions.SectionName + part).Bind(o);
                }
                catch (InvalidOperationException e)
                {
                    throw new InvalidOperationException(
                        $"{e.Message} SessionMode is Hybrid, Stateful or Stateless; Durability is Durable or Fast; times are written 00:00:30, addresses " +
                            "http://10.0.0.7:8080.", e);
                }
            })));
    }

    /// <summary>Adds what every server needs to its own filters and handlers.</summary>
    private static void Prepare(McpServerOptions options, StateHandleFilter handles, PrimitiveAuthorization authorization, Polling polling)
    {
        ReplayFilters.AddTo(options);
        authorization.AddTo(options);

        // Around the user's own filters, for those ask for it too.
        options.Filters.Request.CallToolFilters.Insert(0, polling.Wrap);
        options.Filters.Request.GetPromptFilters.Insert(0, polling.Wrap);
        options.Filters.Request.ReadResourceFilters.Insert(0, polling.Wrap);
        Handshake.AddTo(options);
        CallTrace.AddTo(options);
        options.Filters.Request.CallToolFilters.Add(handles.Wrap);
        options.Filters.Request.ReadResourceFilters.Add(UnknownResources.Name);
        UnknownCursors.AddTo(options);
        WrongArguments.AddTo(options);
        if (options.ResourceCollection is not null || options.Handlers.ListResourcesHandler is not null)
        {
            // Subscriptions are kept by the library, whether or not the server has handlers for them.
            options.Capabilities ??= new ServerCapabilities();
            options.Capabilities.Resources ??= new ResourcesCapability();
            options.Capabilities.Resources.Subscribe ??= true;
        }
    }
}

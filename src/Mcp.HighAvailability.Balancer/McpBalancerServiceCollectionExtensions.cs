using System.Diagnostics.Metrics;
using Mcp.HighAvailability;
using Mcp.HighAvailability.Balancer.Operations;
using Mcp.HighAvailability.Balancer.Routing;
using Mcp.HighAvailability.Balancer.Status;
using Mcp.HighAvailability.Cluster;
using Mcp.HighAvailability.Diagnostics;
using Mcp.HighAvailability.Http;
using Mcp.HighAvailability.Limits;
using Mcp.HighAvailability.Relay;
using Mcp.HighAvailability.Security;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Options;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Adds the balancer to any ASP.NET Core application. It needs an <c>IReplicaRegistry</c> and keeps nothing that matters.</summary>
public static class McpBalancerServiceCollectionExtensions
{
    /// <summary>Adds the balancer; settings come from the configuration section <c>Balancer</c>.</summary>
    /// <remarks>
    /// Turns off the log of requests (category <c>Microsoft.AspNetCore.Hosting.Diagnostics</c>), because it costs every relayed request an activity and a log
    /// scope. A level for that category turns it on again.
    /// </remarks>
    public static IServiceCollection AddMcpBalancer(this IServiceCollection services)
    {
        services.AddRelay();
        services.AddOptions<BalancerOptions>().BindConfiguration(BalancerOptions.SectionName).ValidateOnStart();
        services.AddOptions<ClusterOptions>().BindConfiguration(BalancerOptions.SectionName + ":Cluster");
        services.AddOptions<RelayOptions>().BindConfiguration(BalancerOptions.SectionName + ":Relay").Configure<IConfiguration>(static (relay, configuration) =>
            relay.KeepAlive = configuration.GetValue($"{HighAvailabilityOptions.SectionName}:{nameof(HighAvailabilityOptions.KeepAlive)}", relay.KeepAlive));
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<BalancerOptions>, BalancerOptionsValidator>());
        services.AddOptions<KestrelServerOptions>().Configure<IOptions<BalancerOptions>>(static (server, balancer) =>
        {
            server.AddServerHeader = false;
            server.Limits.MaxRequestBodySize = balancer.Value.MaxRequestBodySize;
        });
        services.TryAddSingleton(static provider => new AccessGuard(
            new HostRule(
                $"{provider.GetRequiredService<IOptions<BalancerOptions>>().Value.AllowedHosts};{AccessGuard.Filtered(provider.GetService<IConfiguration>())}"),
            new OriginRule("*"), // the replicas' to judge
            BalancerOptions.SectionName,
            provider.GetRequiredService<ILogger<AccessGuard>>()));
        services.TryAddSingleton(static provider =>
        {
            var balancer = provider.GetRequiredService<IOptions<BalancerOptions>>().Value;
            return new RequestRate(balancer.RequestsPerSecond, balancer.Burst, "Balancer:RequestsPerSecond", provider.GetRequiredService<Refusals>(),
                provider.GetRequiredService<TimeProvider>());
        });
        services.TryAddSingleton(static provider =>
        {
            var balancer = provider.GetRequiredService<IOptions<BalancerOptions>>().Value;
            return new RequestBodies(new BodyBudget(balancer.MaxBodyBytes, balancer.MaxRequestBodySize, "Balancer:MaxBodyBytes",
                provider.GetService<IMeterFactory>()));
        });
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IStartsAtZero, BodyBudget>(static p => p.GetRequiredService<RequestBodies>().Budget));
        services.TryAddSingleton<Timeline>();
        services.TryAddSingleton<ReplicaRoster>();
        services.TryAddSingleton<ErrorResponses>();
        services.TryAddSingleton<ClusterHistory>();
        services.TryAddSingleton<StoreReader>();
        services.TryAddSingleton<FailoverLog>();
        services.TryAddSingleton(static provider => new CallMeter(provider.GetRequiredService<TimeProvider>(), provider.GetService<IMeterFactory>()));
        services.AddMetrics();
        services.TryAddSingleton<RoutingState>();
        services.TryAddSingleton<BalancerEndpoint>();
        services.TryAddSingleton(TimeProvider.System);
        services.TryAddSingleton<BalancerDrain>();
        services.AddHostedService(static provider => provider.GetRequiredService<BalancerDrain>());
        services.AddHealthChecks().Add(new HealthCheckRegistration("draining", static provider => provider.GetRequiredService<BalancerDrain>(), null, null));
        services.AddOptions<HostOptions>().PostConfigure<IOptions<BalancerOptions>>(static (host, balancer) =>
        {
            var needed = balancer.Value.DrainTime + TimeSpan.FromSeconds(10);
            if (host.ShutdownTimeout < needed)
                host.ShutdownTimeout = needed;
        });
        services.TryAddSingleton<StatusReport>();
        services.TryAddSingleton<SessionTrails>();
        services.TryAddSingleton<StatusEndpoints>();
        services.AddHostedService<ClusterWatch>();
        services.AddHostedService<ClusterMetrics>();
        services.TryAddSingleton<OperatorKey>();
        services.TryAddSingleton<OperationsEndpoint>();
        services.Configure<LoggerFilterOptions>(NoRequestLog);
        return services;
    }

    // Otherwise each request gets an activity and a log scope, also when nothing exports them. Tracing turns them on by itself. The first rules are the
    // weakest: a setting for the same category wins.
    private static void NoRequestLog(LoggerFilterOptions filters) =>
        filters.Rules.Insert(0, new(null, "Microsoft.AspNetCore.Hosting.Diagnostics", LogLevel.None, null));
}

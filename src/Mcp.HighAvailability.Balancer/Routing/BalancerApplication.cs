using System.Diagnostics.Metrics;
using Mcp.HighAvailability.Balancer.Operations;
using Mcp.HighAvailability.Balancer.Status;
using Mcp.HighAvailability.Cluster;
using Mcp.HighAvailability.Http;
using Mcp.HighAvailability.Limits;
using Mcp.HighAvailability.Relay;
using Mcp.HighAvailability.Security;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Options;

namespace Mcp.HighAvailability.Balancer.Routing;

/// <summary>The balancer as part of any ASP.NET application. It needs an <c>IReplicaRegistry</c> and keeps nothing that matters.</summary>
public static class BalancerApplication
{
    /// <summary>Adds the balancer; settings come from the configuration section <c>Balancer</c>.</summary>
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
            return new RequestRate(balancer.RequestsPerSecond, balancer.Burst, "Balancer:RequestsPerSecond", provider.GetRequiredService<TimeProvider>());
        });
        services.TryAddSingleton(static provider =>
        {
            var balancer = provider.GetRequiredService<IOptions<BalancerOptions>>().Value;
            return new RequestBodies(new BodyBudget(balancer.MaxBodyBytes, balancer.MaxRequestBodySize, "Balancer:MaxBodyBytes",
                provider.GetService<IMeterFactory>()));
        });
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
        return services;
    }

    /// <summary>Maps the live page (<c>/</c>) with all that belongs to it; every other path that nothing else is mapped to is relayed.</summary>
    /// <param name="endpoints">Where to map.</param>
    /// <param name="metrics">Writes the metrics of this process, for <c>/metrics</c>; <see langword="null"/> without them.</param>
    public static IEndpointRouteBuilder MapMcpBalancer(this IEndpointRouteBuilder endpoints, RequestDelegate? metrics = null)
    {
        var balancer = endpoints.ServiceProvider.GetRequiredService<BalancerEndpoint>();
        var guard = endpoints.ServiceProvider.GetRequiredService<AccessGuard>();
        var rate = endpoints.ServiceProvider.GetRequiredService<RequestRate>();
        var descriptors = endpoints.ServiceProvider.GetRequiredService<DescriptorGate>();
        var responses = endpoints.ServiceProvider.GetRequiredService<ErrorResponses>();
        var relayed = guard.Wrap(ReadableErrors.Wrap(responses.Wrap(descriptors.Wrap(rate.Wrap(balancer.HandleAsync)))));
        if (endpoints.ServiceProvider.GetRequiredService<IOptions<BalancerOptions>>().Value.StatusPage)
            endpoints.ServiceProvider.GetRequiredService<StatusEndpoints>().Map(endpoints, serve => guard.Wrap(rate.Wrap(serve)), relayed, metrics);

        // The usual path is mapped by itself too, so that its spans and metrics are named by it.
        endpoints.MapFallback("/mcp", relayed);
        endpoints.MapFallback("{**path}", relayed);
        return endpoints;
    }
}

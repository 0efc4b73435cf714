using McpHa.Balancer.Operations;
using McpHa.Balancer.Status;
using McpHa.HighAvailability.Access;
using McpHa.HighAvailability.EventBus;
using McpHa.HighAvailability.Limits;
using McpHa.HighAvailability.Operations;
using McpHa.HighAvailability.Relay;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Options;

namespace McpHa.Balancer.Routing;

/// <summary>The balancer as part of any ASP.NET application. It needs an <c>IReplicaRegistry</c> and keeps nothing that matters.</summary>
public static class BalancerApplication
{
    /// <summary>Adds the balancer; settings come from the configuration section <c>Balancer</c>.</summary>
    public static IServiceCollection AddBalancer(this IServiceCollection services)
    {
        services.AddRelay();
        services.AddOptions<BalancerOptions>().BindConfiguration(BalancerOptions.SectionName).ValidateOnStart();
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<BalancerOptions>, BalancerOptionsValidator>());
        services.AddOptions<KestrelServerOptions>().Configure<IOptions<BalancerOptions>>(static (server, balancer) =>
        {
            server.AddServerHeader = false;
            server.Limits.MaxRequestBodySize = balancer.Value.MaxRequestBodySize;
        });
        services.TryAddSingleton(static provider => new AccessGuard(
            new HostRule($"{provider.GetRequiredService<IOptions<BalancerOptions>>().Value.AllowedHosts};{AccessGuard.Filtered(provider.GetService<IConfiguration>())}"),
            new OriginRule("*"), // the replicas' to judge
            BalancerOptions.SectionName,
            provider.GetRequiredService<ILogger<AccessGuard>>()));
        services.TryAddSingleton(static provider =>
        {
            var balancer = provider.GetRequiredService<IOptions<BalancerOptions>>().Value;
            return new RequestRate(balancer.RequestsPerSecond, balancer.Burst, "Balancer:RequestsPerSecond");
        });
        services.TryAddSingleton<FailoverLog>();
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
        services.TryAddSingleton<OperatorKey>();
        services.TryAddSingleton<OperationsEndpoint>();
        return services;
    }

    /// <summary>Maps the live page (<c>/</c>, <c>/status.json</c>); every other path that nothing else is mapped to is relayed.</summary>
    public static IEndpointRouteBuilder MapBalancer(this IEndpointRouteBuilder endpoints)
    {
        var balancer = endpoints.ServiceProvider.GetRequiredService<BalancerEndpoint>();
        var report = endpoints.ServiceProvider.GetRequiredService<StatusReport>();

        var guard = endpoints.ServiceProvider.GetRequiredService<AccessGuard>();
        var rate = endpoints.ServiceProvider.GetRequiredService<RequestRate>();
        var options = endpoints.ServiceProvider.GetRequiredService<IOptions<BalancerOptions>>().Value;
        var relayed = guard.Wrap(ReadableErrors.Wrap(rate.Wrap(balancer.HandleAsync)));
        if (options.StatusPage)
        {
            var place = StatusPlace.Of(endpoints, options.StatusAddress);
            endpoints.MapGet("/status.json", guard.Wrap(context => place.IsMeant(context) ? StatusPage.WriteJsonAsync(context, report.Take()) : relayed(context)));
            endpoints.MapGet("/", guard.Wrap(context => !place.IsMeant(context) ? relayed(context) : StatusPage.Wants(context.Request) switch
            {
                StatusFormat.Html => StatusPage.WriteHtmlAsync(context, report.Take()),
                StatusFormat.Json => StatusPage.WriteJsonAsync(context, report.Take()),
                _ => relayed(context), // an MCP client whose server is mapped to the root
            }));
            if (options.Operations.Key is { Length: > 0 } && endpoints.ServiceProvider.GetService<IEventBus>() is null)
                throw new InvalidOperationException("Balancer:Operations:Key needs an event bus to reach replicas by: call builder.Services.AddRedisReplicaRegistry(), or leave the key out.");
            var operations = endpoints.ServiceProvider.GetRequiredService<OperationsEndpoint>();
            foreach (var (name, operation) in new[] { ("drain", ReplicaOperation.Drain), ("resume", ReplicaOperation.Resume) })
            {
                endpoints.MapPost(
                    $"/operations/replicas/{{name}}/{name}",
                    guard.Wrap(rate.Wrap(context => place.IsMeant(context) ? operations.HandleAsync(context, operation) : relayed(context))));
            }
        }

        endpoints.MapFallback("{**path}", relayed);
        return endpoints;
    }
}

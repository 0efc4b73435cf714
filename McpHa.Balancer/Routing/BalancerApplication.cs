using McpHa.Balancer.Status;
using McpHa.HighAvailability.Relay;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection.Extensions;
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
        services.TryAddSingleton<FailoverLog>();
        services.TryAddSingleton<RoutingState>();
        services.TryAddSingleton<BalancerEndpoint>();
        services.TryAddSingleton<StatusReport>();
        return services;
    }

    /// <summary>Maps the live page (<c>/</c>, <c>/status.json</c>); every other path that nothing else is mapped to is relayed.</summary>
    public static IEndpointRouteBuilder MapBalancer(this IEndpointRouteBuilder endpoints)
    {
        var balancer = endpoints.ServiceProvider.GetRequiredService<BalancerEndpoint>();
        var report = endpoints.ServiceProvider.GetRequiredService<StatusReport>();

        endpoints.MapGet("/status.json", (RequestDelegate)(context => StatusPage.WriteJsonAsync(context, report.Take())));
        endpoints.MapGet("/", (RequestDelegate)(context => StatusPage.Wants(context.Request) switch
        {
            StatusFormat.Html => StatusPage.WriteHtmlAsync(context, report.Take()),
            StatusFormat.Json => StatusPage.WriteJsonAsync(context, report.Take()),
            _ => balancer.HandleAsync(context), // an MCP client whose server is mapped to the root
        }));
        endpoints.MapFallback("{**path}", (RequestDelegate)balancer.HandleAsync);
        return endpoints;
    }
}

using Mcp.HighAvailability.Balancer.Routing;
using Mcp.HighAvailability.Balancer.Status;
using Mcp.HighAvailability.Http;
using Mcp.HighAvailability.Limits;
using Microsoft.Extensions.Options;

namespace Microsoft.AspNetCore.Builder;

/// <summary>Maps the balancer.</summary>
public static class McpBalancerEndpointRouteBuilderExtensions
{
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

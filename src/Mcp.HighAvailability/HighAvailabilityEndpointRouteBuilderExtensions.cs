using System.Diagnostics.CodeAnalysis;
using Mcp.HighAvailability;
using Mcp.HighAvailability.Cluster;
using Mcp.HighAvailability.Diagnostics;
using Mcp.HighAvailability.Http;
using Mcp.HighAvailability.Limits;
using Mcp.HighAvailability.Relay;
using Mcp.HighAvailability.Security;
using Mcp.HighAvailability.Sessions;
using Mcp.HighAvailability.Tasks;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Metadata;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using ModelContextProtocol.Server;

namespace Microsoft.AspNetCore.Builder;

/// <summary>Maps a highly available MCP server.</summary>
public static class HighAvailabilityEndpointRouteBuilderExtensions
{
    private const int AfterTheUsersOwn = 1_000;

    /// <summary>
    /// Serves MCP's Streamable HTTP at a route, by default the root as <c>MapMcp()</c> does, for clients of every revision; and HTTP+SSE (<c>/sse</c>,
    /// <c>/message</c>) below it and at the root, if <see cref="HighAvailabilityOptions.EnableLegacySse"/> is set.
    /// </summary>
    /// <exception cref="InvalidOperationException">
    /// <c>WithHighAvailability()</c> was not called, or a tool, prompt or resource carries <c>[Authorize]</c> while authorization is not set up.
    /// </exception>
    /// <param name="endpoints">Where to map.</param>
    /// <param name="pattern">The route, for example <c>/mcp</c> or <c>/{category?}</c>.</param>
    public static IEndpointConventionBuilder MapHighlyAvailableMcp(this IEndpointRouteBuilder endpoints, [StringSyntax("Route")] string pattern = "")
    {
        ArgumentNullException.ThrowIfNull(endpoints);
        ArgumentNullException.ThrowIfNull(pattern);
        var services = endpoints.ServiceProvider;
        var endpoint = services.GetService<McpEndpoint>() ?? throw new InvalidOperationException(
            "MapHighlyAvailableMcp needs builder.Services.AddMcpServer().WithHighAvailability(); add it before builder.Build().");

        services.GetRequiredService<PrimitiveAuthorization>().Check(services.GetRequiredService<IOptions<McpServerOptions>>().Value);
        var host = services.GetRequiredService<SessionHost>();
        var self = services.GetRequiredService<SelfReplica>();
        var gate = services.GetRequiredService<SessionGate>();
        self.Load = () => (host.SessionCount, host.CallCount);
        var metrics = services.GetRequiredService<SessionMetrics>();
        var relayed = services.GetRequiredService<RelayMetrics>();
        var tasks = services.GetRequiredService<TaskMetrics>();
        self.Faults = () => new(
            metrics.Faults.MayHaveRun + relayed.MayHaveRun + tasks.MayHaveRun, metrics.Faults.FencedWrites, metrics.Faults.UnjournaledEvents);
        self.Rerun = () => RerunPolicy.Publish(services.GetRequiredService<IOptions<McpServerOptions>>().Value);
        metrics.Observe(() => host.SessionCount, () => host.CallCount, () => gate.Held);

        var all = endpoints.MapGroup("");
        var group = all.MapGroup(pattern);
        var guard = services.GetRequiredService<AccessGuard>();
        var rate = services.GetRequiredService<RequestRate>();
        var descriptors = services.GetRequiredService<DescriptorGate>();
        var closing = new ClosingConnections(services.GetRequiredService<LateRequests>());

        // Not in the group: spans and metrics would name the route with a slash at its end.
        all.MapPost(pattern, Protected(endpoint.PostAsync)).WithMetadata(new NoServerLimit());
        all.MapGet(pattern, Protected(endpoint.GetAsync));
        all.MapDelete(pattern, Protected(endpoint.DeleteAsync));
        MapPreflight(all, pattern);
        if (services.GetRequiredService<IOptions<HighAvailabilityOptions>>().Value.EnableLegacySse)
        {
            // Where the SDK's own host has it, and where the servers of its time had it.
            MapLegacy(group, order: 0);
            if (pattern.Trim('/').Length > 0)
                MapLegacy(all, AfterTheUsersOwn);
        }

        if (guard.Origins.AnyListed)
            all.WithMetadata(CrossOrigin.Metadata);
        return all;

        RequestDelegate Protected(RequestDelegate serve) => closing.Wrap(guard.Wrap(descriptors.Wrap(rate.Wrap(serve))));

        void MapLegacy(RouteGroupBuilder at, int order)
        {
            var legacy = services.GetRequiredService<LegacySseEndpoint>();
            at.MapGet(LegacySseEndpoint.StreamPath, Protected(legacy.GetAsync)).WithOrder(order);
            at.MapPost(LegacySseEndpoint.MessagePath, Protected(legacy.PostAsync)).WithMetadata(new NoServerLimit()).WithOrder(order);
            MapPreflight(at, LegacySseEndpoint.StreamPath, order);
            MapPreflight(at, LegacySseEndpoint.MessagePath, order);
        }

        // A browser asks before it signs in.
        void MapPreflight(RouteGroupBuilder at, string path, int order = 0)
        {
            if (guard.Origins.AnyListed)
                at.MapMethods(path, [HttpMethods.Options], guard.Wrap(CrossOrigin.PreflightAsync)).AllowAnonymous().WithOrder(order);
        }
    }

    // The endpoint counts for itself, to answer in JSON-RPC. Kestrel then reads what is left of the body for some seconds, so that the
    // client sees that answer and not a broken connection; it would not, had the limit been its own.
    private sealed record NoServerLimit : IRequestSizeLimitMetadata
    {
        public long? MaxRequestBodySize => null;
    }
}

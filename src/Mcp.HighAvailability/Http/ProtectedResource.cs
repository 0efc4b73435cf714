using Mcp.HighAvailability.Http;
using Mcp.HighAvailability.Protocol;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using ModelContextProtocol;
using ModelContextProtocol.Authentication;

namespace Microsoft.AspNetCore.Builder;

/// <summary>Tells clients who may sign them in (OAuth 2.0 protected resource metadata, RFC 9728).</summary>
/// <remarks>
/// The SDK's authentication handler (<c>AddMcp</c>) takes host and scheme of the address from the request, which our balancer and peers pass on. With a
/// configured address that handler answers no request whose host differs from it; this one does.
/// </remarks>
public static class ProtectedResourceEndpointRouteBuilderExtensions
{
    private const string WellKnown = "/.well-known/oauth-protected-resource";

    /// <summary>Where the metadata of a resource is; name it in the <c>WWW-Authenticate</c> of a 401: <c>Bearer resource_metadata="…"</c>.</summary>
    /// <param name="resource">Public address of the MCP endpoint, e.g. <c>https://mcp.example.com/mcp</c>.</param>
    public static Uri ProtectedResourceMetadataAddress(Uri resource)
    {
        ArgumentNullException.ThrowIfNull(resource);
        return new(resource, WellKnown + resource.AbsolutePath.TrimEnd('/'));
    }

    /// <summary>Serves the metadata without sign-in, at the address of its resource (RFC 9728, section 3.1) and at the root.</summary>
    /// <exception cref="ArgumentException"><see cref="ProtectedResourceMetadata.Resource"/> is no absolute address.</exception>
    public static IEndpointConventionBuilder MapProtectedResource(this IEndpointRouteBuilder endpoints, ProtectedResourceMetadata metadata)
    {
        ArgumentNullException.ThrowIfNull(endpoints);
        ArgumentNullException.ThrowIfNull(metadata);
        if (!Uri.TryCreate(metadata.Resource, UriKind.Absolute, out var resource))
            throw new ArgumentException(
                "ProtectedResourceMetadata.Resource must be the public address of the MCP endpoint, such as https://mcp.example.com/mcp.", nameof(metadata));

        var json = System.Text.Json.JsonSerializer.SerializeToUtf8Bytes(metadata,
            McpJsonUtilities.ProtocolOptions.GetTypeInfo(typeof(ProtectedResourceMetadata)));
        var guard = endpoints.ServiceProvider.GetRequiredService<AccessGuard>();
        var group = endpoints.MapGroup(WellKnown);
        foreach (var path in new[] { "", resource.AbsolutePath.TrimEnd('/') }.Distinct())
        {
            group.MapGet(path, guard.Wrap(async context => await HttpAnswers.JsonAsync(context, json)));
            if (guard.Origins.AnyListed)
                group.MapMethods(path, [HttpMethods.Options], guard.Wrap(CrossOrigin.PreflightAsync));
        }

        group.AllowAnonymous();
        if (guard.Origins.AnyListed)
            group.WithMetadata(CrossOrigin.Metadata);
        return group;
    }
}

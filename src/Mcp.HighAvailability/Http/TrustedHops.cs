using Mcp.HighAvailability.Cluster;
using Mcp.HighAvailability.Protocol;
using Mcp.HighAvailability.Relay;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;

namespace Mcp.HighAvailability.Http;

/// <summary>
/// Gives requests that a relay of this cluster sent the address, scheme and host of their client, before the application sees them. Redirects to HTTPS,
/// authentication handlers and links then work as if the client had asked this replica directly.
/// </summary>
/// <remarks>A relay shows this replica's key, see <see cref="HaHeaders.Key"/>. The headers of any other request are left to the application.</remarks>
internal sealed class TrustedHops(SelfReplica self) : IStartupFilter
{
    public Action<IApplicationBuilder> Configure(Action<IApplicationBuilder> next) => app =>
    {
        app.Use(inner => context =>
        {
            Receive(context);
            return inner(context);
        });
        next(app);
    };

    /// <summary>Whether a relay of this cluster sent the request. It has checked <c>Host</c> by its own rules.</summary>
    public static bool IsTrusted(HttpContext context) => context.Features.Get<Mark>() is not null;

    private void Receive(HttpContext context)
    {
        if (!context.Request.Headers.TryGetValue(HaHeaders.Key, out var values))
            return;
        context.Request.Headers.Remove(HaHeaders.Key);
        if (values is not [{ } key] || !self.IsHopKey(key))
            return;
        ForwardedClient.Apply(context);
        context.Features.Set(Mark.Instance);
    }

    private sealed class Mark
    {
        public static readonly Mark Instance = new();
    }
}

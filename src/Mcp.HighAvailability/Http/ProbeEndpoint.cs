using Mcp.HighAvailability.Cluster;
using Mcp.HighAvailability.Diagnostics;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;

namespace Mcp.HighAvailability.Http;

/// <summary>Answers probes of peers and balancers (<see cref="PeerProbe"/>).</summary>
/// <remarks>
/// In front of the application's own pipeline, because the callers know the replica's address but not its path base, and have no
/// user to sign in. A request that does not name the replica by its id passes on to the application. A request that does learns two flags.
/// </remarks>
internal sealed class ProbeEndpoint(SelfReplica self, ReplicaDirectory directory) : IStartupFilter
{
    private static readonly byte[][] Bodies =
    [
        """{"draining":false,"storeAway":false}"""u8.ToArray(),
        """{"draining":true,"storeAway":false}"""u8.ToArray(),
        """{"draining":false,"storeAway":true}"""u8.ToArray(),
        """{"draining":true,"storeAway":true}"""u8.ToArray(),
    ];

    public Action<IApplicationBuilder> Configure(Action<IApplicationBuilder> next) => app =>
    {
        app.Use(inner => context => IsProbe(context.Request) ? AnswerAsync(context) : inner(context));
        next(app);
    };

    private static bool IsProbe(HttpRequest request) =>
        request.Headers.ContainsKey(PeerProbe.Header) && request.Path.Equals(PeerProbe.Path, StringComparison.Ordinal) && HttpMethods.IsGet(request.Method);

    private Task AnswerAsync(HttpContext context)
    {
        TelemetryServices.LeaveOutOfTraces();
        context.Response.Headers.CacheControl = "no-store";
        if (context.Request.Headers[PeerProbe.Header] != self.Id)
        {
            // The replica that is meant is gone, and this one has got its address.
            context.Response.StatusCode = StatusCodes.Status421MisdirectedRequest;
            context.Response.ContentLength = 0;
            return Task.CompletedTask;
        }

        var body = Bodies[(self.Draining ? 1 : 0) + (directory.RegistryAway ? 2 : 0)];
        context.Response.ContentType = "application/json";
        context.Response.ContentLength = body.Length;
        return context.Response.Body.WriteAsync(body, 0, body.Length);
    }
}

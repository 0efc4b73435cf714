using Mcp.HighAvailability.Relay;

namespace Mcp.HighAvailability.Balancer.Routing;

/// <summary>CORS for the errors that the balancer answers by itself (413, 429, 503, …), so that a client in a browser can read the error.</summary>
/// <remarks>
/// For pages of every origin: only the replicas know the allowed origins, and these answers hold no data of a user. What a replica
/// has answered is passed on with the replica's own headers.
/// </remarks>
internal static class ReadableErrors
{
    public static RequestDelegate Wrap(RequestDelegate next) => context =>
    {
        if (context.Request.Headers.Origin.Count > 0)
        {
            context.Response.OnStarting(
                static state =>
                {
                    var context = (HttpContext)state;
                    if (context.Response.StatusCode >= StatusCodes.Status400BadRequest && context.Features.Get<RelayedAnswer>() is null)
                    {
                        context.Response.Headers.AccessControlAllowOrigin = "*";
                        context.Response.Headers.AccessControlExposeHeaders = "Retry-After";
                    }

                    return Task.CompletedTask;
                },
                context);
        }

        return next(context);
    };
}

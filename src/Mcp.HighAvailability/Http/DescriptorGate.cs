using Mcp.HighAvailability.Limits;
using Mcp.HighAvailability.Protocol;
using Mcp.HighAvailability.Relay;
using Microsoft.AspNetCore.Http;

namespace Mcp.HighAvailability.Http;

/// <summary>Refuses requests that this process has no descriptors for: new streams and sessions first, calls of open sessions last.</summary>
internal sealed class DescriptorGate(Descriptors descriptors)
{
    public RequestDelegate Wrap(RequestDelegate next) => descriptors.Limit == 0 ? next : context =>
    {
        if (!descriptors.IsShortOfStreams)
            return next(context);

        // The connection is given back, whatever becomes of the request.
        if (HttpProtocol.IsHttp11(context.Request.Protocol))
            context.Response.Headers.Connection = "close";
        return IsOfOpenSession(context.Request) && !descriptors.IsShortOfCalls ? next(context) : RefuseAsync(context);
    };

    private static bool IsOfOpenSession(HttpRequest request) =>
        !HttpMethods.IsGet(request.Method) && (request.Headers.ContainsKey(RelayHeaders.SessionId) ||
            request.Query.ContainsKey(LegacySseEndpoint.SessionParameter));

    private Task RefuseAsync(HttpContext context)
    {
        descriptors.Refused();

        // Another replica may have some left, unless the request is of a session that lives here.
        if (context.Request.Headers.ContainsKey(HaHeaders.Relay) && !context.Request.Headers.ContainsKey(RelayHeaders.SessionId))
            context.Response.Headers[HaHeaders.Transient] = "1";
        return HttpAnswers.FullAsync(
            context, $"it has used up its file descriptors ({descriptors.Limit}). Raise the limit (ulimit -n, LimitNOFILE= of systemd, --ulimit nofile= " +
                "of Docker), or add an instance.");
    }
}

using Mcp.HighAvailability.Sessions;
using Microsoft.AspNetCore.Http;

namespace Mcp.HighAvailability.Http;

/// <summary>Closes the connections of requests that a drained replica still gets, so that their senders open the next one elsewhere.</summary>
internal sealed class ClosingConnections(LateRequests requests)
{
    public RequestDelegate Wrap(RequestDelegate next) => context =>
    {
        if (requests.Note() && HttpProtocol.IsHttp11(context.Request.Protocol))
            context.Response.Headers.Connection = "close";
        return next(context);
    };
}

using Mcp.HighAvailability.Protocol;
using Mcp.HighAvailability.Relay;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;

namespace Mcp.HighAvailability.Lab.Chaos.Mutations;

/// <summary>Changes requests on their way into a process: what relays rely on is missing.</summary>
internal sealed class MutatedRequests(string safeguard) : IStartupFilter
{
    private const string LastEventId = "Last-Event-ID";

    public Action<IApplicationBuilder> Configure(Action<IApplicationBuilder> next) => app =>
    {
        app.Use((context, served) =>
        {
            Change(context.Request);
            return served(context);
        });
        next(app);
    };

    private void Change(HttpRequest request)
    {
        switch (safeguard)
        {
            case "DuplicateRecognition":
                // Every attempt is an exchange of its own.
                request.Headers.Remove(HaHeaders.Exchange);
                break;
            case "Splice" when request.Headers.ContainsKey(HaHeaders.Relay) && request.Headers[LastEventId].ToString() is ['c', ..] id:
                // A relay goes on with a broken call from its first event.
                request.Headers[LastEventId] = id[..(id.IndexOf('-', StringComparison.Ordinal) + 1)] + "0";
                break;
        }
    }
}

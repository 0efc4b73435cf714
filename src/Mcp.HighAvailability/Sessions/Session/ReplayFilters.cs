using ModelContextProtocol.Server;

namespace Mcp.HighAvailability.Sessions;

/// <summary>Lets a replay of a session's beginning pass by the application's message filters: they see what clients send, once.</summary>
internal static class ReplayFilters
{
    /// <summary>Call before the library adds filters of its own.</summary>
    public static void AddTo(McpServerOptions options)
    {
        PassBy(options.Filters.Message.IncomingFilters);
        PassBy(options.Filters.Message.OutgoingFilters);
    }

    private static void PassBy(IList<McpMessageFilter> filters)
    {
        for (var i = 0; i < filters.Count; i++)
        {
            var filter = filters[i];
            filters[i] = next =>
            {
                var filtered = filter(next);
                return (context, cancellationToken) => context.JsonRpcMessage.Context?.RelatedTransport is Handshake { IsReplay: true }
                    ? next(context, cancellationToken)
                    : filtered(context, cancellationToken);
            };
        }
    }
}

using Mcp.HighAvailability.Protocol;
using ModelContextProtocol;
using ModelContextProtocol.Protocol;
using ModelContextProtocol.Server;

namespace Mcp.HighAvailability.Http;

/// <summary>Refuses cursors that this server cannot have given. The SDK answers them with an empty page, as if the list ended there.</summary>
internal static class UnknownCursors
{
    /// <summary>
    /// Adds to every list whose pages are not the user's own: such a list has one page. Innermost, because a filter of the user may serve pages.
    /// </summary>
    public static void AddTo(McpServerOptions options)
    {
        var (filters, handlers) = (options.Filters.Request, options.Handlers);
        if (handlers.ListToolsHandler is null)
            filters.ListToolsFilters.Add(Refuse);
        if (handlers.ListPromptsHandler is null)
            filters.ListPromptsFilters.Add(Refuse);
        if (handlers.ListResourcesHandler is null)
            filters.ListResourcesFilters.Add(Refuse);
        if (handlers.ListResourceTemplatesHandler is null)
            filters.ListResourceTemplatesFilters.Add(Refuse);
    }

    private static McpRequestHandler<TParams, TResult> Refuse<TParams, TResult>(McpRequestHandler<TParams, TResult> next) where TParams
        : PaginatedRequestParams =>
        (request, cancellationToken) => request.Params?.Cursor is { Length: > 0 } cursor
            ? throw new McpProtocolException(
                $"'params.cursor' ('{HttpAnswers.Printable(cursor)}') was not given by this server. Send the 'nextCursor' of the page before, or leave it " +
                    "out for the first page.",
                McpErrorCode.InvalidParams)
            : next(request, cancellationToken);
}

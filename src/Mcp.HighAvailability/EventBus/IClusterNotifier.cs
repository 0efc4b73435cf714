using System.Text.Json;
using ModelContextProtocol.Protocol;

namespace Mcp.HighAvailability;

/// <summary>Tells clients something, wherever in the cluster their sessions are. Inject it anywhere.</summary>
/// <remarks>
/// A notification reaches every session that has a living owner at that moment, there it is journaled and survives like any other
/// message; clients of revision 2026-07-28 hear it on their <c>subscriptions/listen</c> streams, log messages excepted. While the store is away, only this replica's own sessions and streams are reached.
/// </remarks>
public interface IClusterNotifier
{
    /// <summary>Sends <c>notifications/message</c> to every session whose log level (if it has set one) lets it through.</summary>
    ValueTask LogAsync(LoggingLevel level, string? logger, JsonElement data, CancellationToken cancellationToken = default);

    /// <summary>Sends <c>notifications/resources/updated</c> to the sessions that have subscribed to the resource.</summary>
    ValueTask ResourceUpdatedAsync(string uri, CancellationToken cancellationToken = default);

    /// <summary>Sends <c>notifications/tools/list_changed</c> to every session.</summary>
    ValueTask ToolsChangedAsync(CancellationToken cancellationToken = default);

    /// <summary>Sends <c>notifications/prompts/list_changed</c> to every session.</summary>
    ValueTask PromptsChangedAsync(CancellationToken cancellationToken = default);

    /// <summary>Sends <c>notifications/resources/list_changed</c> to every session.</summary>
    ValueTask ResourcesChangedAsync(CancellationToken cancellationToken = default);
}

using System.Text.Json;
using ModelContextProtocol.Protocol;

namespace Mcp.HighAvailability;

/// <summary>Tells clients something, wherever in the cluster their sessions are. Inject it anywhere.</summary>
/// <remarks>
/// <para>A notification is appended to a log in the store, which gives it its place in one order for the whole cluster. Every session gets it once, also
/// if it has no stream at the moment or its owner dies; a session that comes back after the log's retention (<see cref="Storage.BroadcastOptions"/>)
/// is told that there is a
/// gap. Clients of revision 2026-07-28 hear it on their <c>subscriptions/listen</c> streams, log messages excepted.</para>
/// <para>A tool that publishes and is run again after the loss of its replica does not publish twice.</para>
/// <para>While the store is away, a call waits up to <see cref="HighAvailabilityOptions.DurableTimeout"/>, then it throws
/// <see cref="Storage.StoreUnavailableException"/>.</para>
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

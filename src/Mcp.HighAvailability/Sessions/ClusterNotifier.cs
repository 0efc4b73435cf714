using System.Text.Json;
using System.Text.Json.Nodes;
using Mcp.HighAvailability.Broadcast;
using Mcp.HighAvailability.Protocol;
using Mcp.HighAvailability.Storage;
using ModelContextProtocol.Protocol;

namespace Mcp.HighAvailability.Sessions;

/// <summary>Appends notifications to the broadcast log. Sessions and listen streams read them there.</summary>
internal sealed class ClusterNotifier(BroadcastPublisher publisher) : IClusterNotifier
{
    public ValueTask LogAsync(LoggingLevel level, string? logger, JsonElement data, CancellationToken cancellationToken = default)
    {
        var parameters = new JsonObject
        {
            ["level"] = JsonNamingPolicy.CamelCase.ConvertName(level.ToString()),
            ["data"] = JsonSerializer.SerializeToNode(data),
        };
        if (logger is not null)
            parameters["logger"] = logger;
        return PublishAsync(NotificationMethods.LoggingMessageNotification, logger, parameters, cancellationToken);
    }

    public ValueTask ResourceUpdatedAsync(string uri, CancellationToken cancellationToken = default) =>
        PublishAsync(NotificationMethods.ResourceUpdatedNotification, uri, new JsonObject { ["uri"] = uri }, cancellationToken);

    public ValueTask ToolsChangedAsync(CancellationToken cancellationToken = default) =>
        PublishAsync(NotificationMethods.ToolListChangedNotification, null, null, cancellationToken);

    public ValueTask PromptsChangedAsync(CancellationToken cancellationToken = default) =>
        PublishAsync(NotificationMethods.PromptListChangedNotification, null, null, cancellationToken);

    public ValueTask ResourcesChangedAsync(CancellationToken cancellationToken = default) =>
        PublishAsync(NotificationMethods.ResourceListChangedNotification, null, null, cancellationToken);

    // A tool that is run again may publish at other times, and about several things in another order.
    private ValueTask PublishAsync(string method, string? about, JsonObject? parameters, CancellationToken cancellationToken) => publisher.PublishAsync(
        BroadcastKinds.Notification,
        CallScope.NamePublication($"{method} {about}"),
        JsonRpc.Serialize(new JsonRpcNotification { Method = method, Params = parameters }),
        cancellationToken);
}

using System.Text.Json;
using System.Text.Json.Nodes;
using Mcp.HighAvailability.Sessions;
using Mcp.HighAvailability.Stateless;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using ModelContextProtocol.Protocol;

namespace Mcp.HighAvailability.EventBus;

/// <summary>Broadcasts over the event bus; every replica hands them to the sessions that it owns and to the clients that listen there.</summary>
internal sealed partial class ClusterNotifier(IEventBus bus, SessionHost host, ListenStreams listens, TimeProvider time, ILogger<ClusterNotifier> logger) : IClusterNotifier, IHostedService
{
    // A broadcast on the bus is its id, and the notification.
    private const string Topic = "notifications";

    private readonly BroadcastIds _ids = new(time);
    private readonly BusListener _listener = new(bus, Topic, time, logger);

    public ValueTask LogAsync(LoggingLevel level, string? logger, JsonElement data, CancellationToken cancellationToken = default)
    {
        var parameters = new JsonObject
        {
            ["level"] = JsonNamingPolicy.CamelCase.ConvertName(level.ToString()),
            ["data"] = JsonSerializer.SerializeToNode(data),
        };
        if (logger is not null)
            parameters["logger"] = logger;
        return PublishAsync(NotificationMethods.LoggingMessageNotification, parameters, cancellationToken);
    }

    public ValueTask ResourceUpdatedAsync(string uri, CancellationToken cancellationToken = default) =>
        PublishAsync(NotificationMethods.ResourceUpdatedNotification, new JsonObject { ["uri"] = uri }, cancellationToken);

    public ValueTask ToolsChangedAsync(CancellationToken cancellationToken = default) =>
        PublishAsync(NotificationMethods.ToolListChangedNotification, null, cancellationToken);

    public ValueTask PromptsChangedAsync(CancellationToken cancellationToken = default) =>
        PublishAsync(NotificationMethods.PromptListChangedNotification, null, cancellationToken);

    public ValueTask ResourcesChangedAsync(CancellationToken cancellationToken = default) =>
        PublishAsync(NotificationMethods.ResourceListChangedNotification, null, cancellationToken);

    public Task StartAsync(CancellationToken cancellationToken)
    {
        host.Broadcasts.Hand = Hand;
        _listener.Start(DeliverAsync);
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken) => _listener.StopAsync();

    private async ValueTask PublishAsync(string method, JsonObject? parameters, CancellationToken cancellationToken)
    {
        var notification = JsonRpc.Serialize(new JsonRpcNotification { Method = method, Params = parameters });
        var payload = new byte[BroadcastIds.Size + notification.Length];
        BroadcastIds.Write(_ids.Next()).CopyTo(payload, 0);
        notification.CopyTo(payload.AsSpan(BroadcastIds.Size));
        try
        {
            await bus.PublishAsync(Topic, payload, cancellationToken).ConfigureAwait(false);
        }
        catch (StoreUnavailableException e)
        {
            LogOnlyLocal(method, e.Message);
            await DeliverAsync(payload).ConfigureAwait(false);
        }
    }

    private ValueTask DeliverAsync(ReadOnlyMemory<byte> payload)
    {
        if (payload.Length <= BroadcastIds.Size || JsonRpc.Parse(payload.Span[BroadcastIds.Size..]) is not JsonRpcNotification notification)
            return ValueTask.CompletedTask;
        if (host.Broadcasts.Deliver(BroadcastIds.Read(payload.Span), notification, host.Sessions))
            listens.Publish(notification);
        return ValueTask.CompletedTask;
    }

    private void Hand(LiveSession session, JsonRpcNotification notification, UInt128 id) => _ = SendAsync(session, notification, id);

    private static bool Wants(LiveSession session, JsonRpcNotification notification) => notification.Method switch
    {
        NotificationMethods.ResourceUpdatedNotification => JsonRpc.TextParam(notification.Params, "uri") is { } uri && session.IsSubscribed(uri),
        NotificationMethods.LoggingMessageNotification => session.ClientLogLevel is not { } least ||
            Enum.TryParse(JsonRpc.TextParam(notification.Params, "level"), ignoreCase: true, out LoggingLevel level) && level >= least,
        _ => true,
    };

    private async Task SendAsync(LiveSession session, JsonRpcNotification notification, UInt128 id)
    {
        try
        {
            if (Wants(session, notification))
                await session.Unrelated.BroadcastAsync(new JsonRpcNotification { Method = notification.Method, Params = notification.Params }, id).ConfigureAwait(false);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            LogNotSent(e, session.Id, notification.Method);
        }
        catch (OperationCanceledException)
        {
            // The session was fenced or has ended meanwhile; its new owner hears the bus as well.
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The event bus is away, {Method} reaches only the sessions of this replica: {Reason}")]
    private partial void LogOnlyLocal(string method, string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Session {SessionId} did not get {Method}.")]
    private partial void LogNotSent(Exception exception, string sessionId, string method);
}

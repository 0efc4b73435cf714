using Mcp.HighAvailability.Sessions;
using System.Collections.Concurrent;
using System.Text.Json;
using System.Text.Json.Nodes;
using Mcp.HighAvailability.Broadcast;
using Mcp.HighAvailability.Protocol;
using Mcp.HighAvailability.Storage;
using Mcp.HighAvailability.Tasks;
using Microsoft.Extensions.Logging;
using ModelContextProtocol;
using ModelContextProtocol.Protocol;
using ModelContextProtocol.Server;

namespace Mcp.HighAvailability.Http;

/// <summary>
/// The <c>subscriptions/listen</c> streams that clients have open at this replica. They follow the broadcast log, so they hear of changes anywhere, and the
/// lists of this replica.
/// </summary>
/// <remarks>
/// A stream that was open at a lost replica is opened again here by the balancer, on the same HTTP response. It is unknown what was published in
/// between, so such a stream begins with a notification for everything it listens to, in the place of the acknowledgement that the client has.
/// </remarks>
internal sealed class ListenStreams : IDrainedStreams, IDisposable
{
    private const string IdMember = "io.modelcontextprotocol/subscriptionId";

    private readonly ConcurrentDictionary<ListenStream, byte> _open = new();
    private readonly BroadcastListener _listener;
    private readonly ListChanges _lists;
    private volatile bool _ending;

    public ListenStreams(BroadcastFollower follower, ListChanges lists, ILogger<ListenStreams> logger)
    {
        _listener = new(follower, static kind => kind is BroadcastKinds.Notification or BroadcastKinds.Task, PublishAsync, PublishAll, logger);
        _lists = lists;
        _lists.Changed += OnListChanged;
    }

    /// <summary>Open streams.</summary>
    public int Count => _open.Count;

    public void Dispose()
    {
        _lists.Changed -= OnListChanged;
        _listener.Dispose();
    }

    /// <summary>Ends all streams, so that clients (or a balancer for them) open theirs at another replica.</summary>
    public void EndAll(bool forGood)
    {
        _ending |= forGood;
        foreach (var (stream, _) in _open)
            stream.End();
    }

    /// <summary>Serves one stream until the client goes or the streams end here.</summary>
    /// <param name="request">The client's request.</param>
    /// <param name="again">It was open at a replica that was lost.</param>
    /// <param name="tasks">The tasks that it follows; <see langword="null"/>: none.</param>
    /// <param name="cancellationToken">Ends when the client has gone.</param>
    public async ValueTask ServeAsync(
        RequestContext<SubscriptionsListenRequestParams> request, bool again, IListenedTasks? tasks, CancellationToken cancellationToken)
    {
        var stream = new ListenStream(Grant(request.Params.Notifications, request.Server.ServerOptions), tasks);
        _open.TryAdd(stream, 0);
        try
        {
            if (_ending)
                stream.End();
            if (again)
                stream.PostAll();
            else
                await SendAsync(Acknowledgement(stream.Granted, tasks?.Granted)).ConfigureAwait(false);
            tasks?.Begin(stream.Post);
            await foreach (var notification in stream.ReadAsync(cancellationToken).ConfigureAwait(false))
            {
                if ((tasks is null ? notification : await tasks.ResolveAsync(notification, cancellationToken).ConfigureAwait(false)) is { } resolved)
                    await SendAsync(resolved).ConfigureAwait(false);
            }
        }
        finally
        {
            _open.TryRemove(stream, out _);
        }

        Task SendAsync(JsonRpcNotification notification) => request.Server.SendMessageAsync(Tag(notification, request.JsonRpcRequest.Id), cancellationToken);
    }

    private void OnListChanged(string method) => Publish(new() { Method = method }, task: null);

    private ValueTask PublishAsync(FollowedBroadcast broadcast)
    {
        if (broadcast.Notification is { } notification)
            Publish(notification, broadcast.Entry.Kind == BroadcastKinds.Task ? JsonRpc.TextParam(notification.Params, TaskProtocol.TaskId) : null);
        return ValueTask.CompletedTask;
    }

    // Posts to the streams that listen for the task, or else for the notification.
    private void Publish(JsonRpcNotification notification, string? task)
    {
        foreach (var (stream, _) in _open)
        {
            if (task is not null)
                stream.Tasks?.Mark(task);
            else if (stream.Wants(notification))
                stream.Post(notification);
        }
    }

    // Broadcasts are missing: everything may have changed.
    private ValueTask PublishAll()
    {
        foreach (var (stream, _) in _open)
            stream.PostAll();
        return ValueTask.CompletedTask;
    }

    // What the server does not have cannot change.
    private static SubscriptionsListenNotifications Grant(SubscriptionsListenNotifications wanted, McpServerOptions server)
    {
        var hasTools = server.ToolCollection is not null || server.Handlers.ListToolsHandler is not null;
        var hasPrompts = server.PromptCollection is not null || server.Handlers.ListPromptsHandler is not null;
        var hasResources = server.ResourceCollection is not null || server.Handlers.ListResourcesHandler is not null;
        return new()
        {
            ToolsListChanged = wanted.ToolsListChanged == true && hasTools ? true : null,
            PromptsListChanged = wanted.PromptsListChanged == true && hasPrompts ? true : null,
            ResourcesListChanged = wanted.ResourcesListChanged == true && hasResources ? true : null,
            ResourceSubscriptions = hasResources && wanted.ResourceSubscriptions is { Count: > 0 } uris ? uris : null,
        };
    }

    private static JsonRpcNotification Acknowledgement(SubscriptionsListenNotifications granted, IReadOnlyList<string>? tasks)
    {
        var parameters = JsonSerializer.SerializeToNode(
            new SubscriptionsAcknowledgedNotificationParams { Notifications = granted },
            McpJsonUtilities.ProtocolOptions.GetTypeInfo(typeof(SubscriptionsAcknowledgedNotificationParams)))!;
        if (tasks is not null)
            parameters["notifications"]!["taskIds"] = new JsonArray([.. tasks.Select(task => (JsonNode)task)]);
        return new() { Method = NotificationMethods.SubscriptionsAcknowledgedNotification, Params = parameters };
    }

    // A copy: other streams send the same notification.
    private static JsonRpcNotification Tag(JsonRpcNotification notification, RequestId id)
    {
        var parameters = notification.Params?.DeepClone() as JsonObject ?? [];
        if (parameters["_meta"] is not JsonObject meta)
            parameters["_meta"] = meta = [];
        meta[IdMember] = JsonSerializer.SerializeToNode(id, McpJsonUtilities.ProtocolOptions.GetTypeInfo(typeof(RequestId)));
        return new() { Method = notification.Method, Params = parameters };
    }
}

using System.Text.Json.Nodes;
using System.Threading.Channels;
using Mcp.HighAvailability.Protocol;
using Mcp.HighAvailability.Tasks;
using ModelContextProtocol.Protocol;

namespace Mcp.HighAvailability.Http;

/// <summary>
/// What one <c>subscriptions/listen</c> stream still has to tell. A reader that is slow costs no more than one entry per thing it listens to.
/// </summary>
internal sealed class ListenStream(SubscriptionsListenNotifications granted, IListenedTasks? tasks = null)
{
    private readonly Channel<JsonRpcNotification> _waiting = Channel.CreateUnbounded<JsonRpcNotification>(new() { SingleReader = true });
    private readonly HashSet<(string Method, string? Uri)> _known = [];

    /// <summary>Notifications that the client listens to.</summary>
    public SubscriptionsListenNotifications Granted => granted;

    /// <summary>The tasks that it follows; <see langword="null"/>: none.</summary>
    public IListenedTasks? Tasks => tasks;

    public bool Wants(JsonRpcNotification notification) => notification.Method switch
    {
        NotificationMethods.ToolListChangedNotification => granted.ToolsListChanged == true,
        NotificationMethods.PromptListChangedNotification => granted.PromptsListChanged == true,
        NotificationMethods.ResourceListChangedNotification => granted.ResourcesListChanged == true,
        NotificationMethods.ResourceUpdatedNotification => Uri(notification) is { } uri && granted.ResourceSubscriptions?.Contains(uri) == true,
        _ => false,
    };

    /// <summary>Adds a notification, unless one that says the same still waits.</summary>
    public void Post(JsonRpcNotification notification)
    {
        lock (_known)
        {
            if (_known.Add((notification.Method, Uri(notification))))
                _waiting.Writer.TryWrite(notification);
        }
    }

    /// <summary>Adds everything that may have happened while the stream had no reader.</summary>
    public void PostAll()
    {
        if (granted.ToolsListChanged == true)
            Post(new() { Method = NotificationMethods.ToolListChangedNotification });
        if (granted.PromptsListChanged == true)
            Post(new() { Method = NotificationMethods.PromptListChangedNotification });
        if (granted.ResourcesListChanged == true)
            Post(new() { Method = NotificationMethods.ResourceListChangedNotification });
        foreach (var uri in granted.ResourceSubscriptions ?? [])
            Post(new() { Method = NotificationMethods.ResourceUpdatedNotification, Params = new JsonObject { ["uri"] = uri } });
        tasks?.MarkAll();
    }

    /// <summary>Ends the stream.</summary>
    public void End() => _waiting.Writer.TryComplete();

    public async IAsyncEnumerable<JsonRpcNotification> ReadAsync([System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (var notification in _waiting.Reader.ReadAllAsync(cancellationToken).ConfigureAwait(false))
        {
            // From here on the same may happen again.
            lock (_known)
                _known.Remove((notification.Method, Uri(notification)));
            yield return notification;
        }
    }

    // The resource, or the task, that it is about.
    private static string? Uri(JsonRpcNotification notification) => JsonRpc.TextParam(notification.Params, "uri") ?? JsonRpc.TextParam(notification.Params,
        "taskId");
}

using ModelContextProtocol.Protocol;

namespace Mcp.HighAvailability.Tasks;

/// <summary>The tasks that one listen stream follows.</summary>
internal interface IListenedTasks : IDisposable
{
    /// <summary>Tasks that the client asked for and may see.</summary>
    IReadOnlyList<string> Granted { get; }

    /// <summary>Begins: posts a mark for the state of every task now, and for each change that is heard from now on.</summary>
    void Begin(Action<JsonRpcNotification> post);

    /// <summary>A task has changed. Does nothing for tasks that are not among these.</summary>
    void Mark(string taskId);

    /// <summary>Any task may have changed.</summary>
    void MarkAll();

    /// <summary>
    /// The notification for a mark, with the state as it is now; the notification itself if it is no mark; <see langword="null"/>: the client has
    /// that state.
    /// </summary>
    ValueTask<JsonRpcNotification?> ResolveAsync(JsonRpcNotification notification, CancellationToken cancellationToken);
}

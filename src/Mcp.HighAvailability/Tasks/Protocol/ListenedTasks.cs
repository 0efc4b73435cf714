using System.Text.Json.Nodes;
using Mcp.HighAvailability.Protocol;
using Mcp.HighAvailability.Storage;
using Microsoft.Extensions.Logging;
using ModelContextProtocol.Protocol;

namespace Mcp.HighAvailability.Tasks;

/// <summary>
/// The tasks of one listen stream. A notice of the broadcast log leads to a read; the client hears of what has changed since its last notification.
/// </summary>
internal sealed partial class ListenedTasks(IReadOnlyList<string> granted, string user, TaskMethods methods, TimeProvider time, ILogger logger) : IListenedTasks
{
    // A replica may die between a change and its notice.
    private static readonly TimeSpan Look = TimeSpan.FromSeconds(15);

    // After a read that failed.
    private static readonly TimeSpan Retry = TimeSpan.FromSeconds(1);

    // The version of each task that the client has; one that has ended is not looked at again. Guarded by itself.
    private readonly Dictionary<string, long> _sent = granted.ToDictionary(id => id, _ => 0L, StringComparer.Ordinal);
    private Action<JsonRpcNotification> _post = static _ => { };
    private ITimer? _timer;

    public IReadOnlyList<string> Granted => granted;

    public void Begin(Action<JsonRpcNotification> post)
    {
        _post = post;
        MarkAll();
        _timer = time.CreateTimer(static tasks => ((ListenedTasks)tasks!).MarkAll(), this, Look, Look);
    }

    public void Mark(string taskId)
    {
        lock (_sent)
        {
            if (!_sent.ContainsKey(taskId))
                return;
        }

        _post(new() { Method = TaskProtocol.Notification, Params = new JsonObject { [TaskProtocol.TaskId] = taskId } });
    }

    public void MarkAll()
    {
        List<string> open;
        lock (_sent)
            open = [.. _sent.Keys];
        open.ForEach(Mark);
    }

    public async ValueTask<JsonRpcNotification?> ResolveAsync(JsonRpcNotification notification, CancellationToken cancellationToken)
    {
        if (notification.Method != TaskProtocol.Notification || JsonRpc.TextParam(notification.Params, TaskProtocol.TaskId) is not { } taskId)
            return notification;
        try
        {
            var task = await methods.ReadAsync(taskId, user, cancellationToken);
            lock (_sent)
            {
                if (task is null || !_sent.TryGetValue(taskId, out var version) || task.Version <= version)
                    return null;
                if (task.Status.IsTerminal())
                    _sent.Remove(taskId);
                else
                    _sent[taskId] = task.Version;
            }

            return new() { Method = TaskProtocol.Notification, Params = TaskJson.Detailed(task) };
        }
        catch (StoreUnavailableException e)
        {
            LogLater(taskId, e.Message);
            _timer?.Change(Retry, Look);
            return null;
        }
    }

    public void Dispose() => _timer?.Dispose();

    [LoggerMessage(Level = LogLevel.Debug, Message = "The notification of task {TaskId} is sent later: {Reason}")]
    private partial void LogLater(string taskId, string reason);
}

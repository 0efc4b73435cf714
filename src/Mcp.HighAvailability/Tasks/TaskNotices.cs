using System.Text;
using System.Text.Json.Nodes;
using Mcp.HighAvailability.Broadcast;
using Mcp.HighAvailability.Protocol;
using Mcp.HighAvailability.Storage;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using ModelContextProtocol.Protocol;
using ModelContextProtocol.Server;

namespace Mcp.HighAvailability.Tasks;

/// <summary>Tells replicas that a task has changed: those with listeners by the broadcast log, its owner and its next owner by the event bus.</summary>
/// <remarks>
/// Only tasks that a client listens to are announced in the log, so that tasks do not crowd out other broadcasts. What goes over the bus only wakes: the
/// task is in the store, and a lost message costs time.
/// </remarks>
internal sealed partial class TaskNotices(
    IEventBus bus,
    IBroadcastLog log,
    BroadcastFollower follower,
    TaskPolicy policy,
    IOptions<McpServerOptions> server,
    TimeProvider time,
    ILogger<TaskNotices> logger) : IHostedService
{
    // A message is a letter, and the task.
    private const string Topic = "tasks";
    private const byte TouchedMark = (byte)'c';
    private const byte FreeMark = (byte)'f';

    private readonly BusListener _listener = new(bus, Topic, time, logger);

    /// <summary>A client has answered or cancelled a task, here or elsewhere.</summary>
    public event Action<string>? Touched;

    /// <summary>A task has no owner any more and waits for one.</summary>
    public event Action<string>? Freed;

    /// <summary>Tells the owner of a task that a client has answered or cancelled it, and those who listen to it. Does not fail.</summary>
    public async ValueTask TouchedAsync(TaskView task)
    {
        await WakeAsync(TouchedMark, task.Id);
        if (task.IsListened)
            await AnnounceAsync(task.Id);
    }

    /// <summary>Tells that a task waits for an owner. Does not fail.</summary>
    public ValueTask FreedAsync(string taskId) => WakeAsync(FreeMark, taskId);

    /// <summary>Notifies listeners of a task that it has changed. Does not fail.</summary>
    public async ValueTask AnnounceAsync(string taskId)
    {
        var notification = new JsonRpcNotification { Method = TaskProtocol.Notification, Params = new JsonObject { [TaskProtocol.TaskId] = taskId } };
        try
        {
            var (id, payload) = (Guid.NewGuid().ToString("N"), JsonRpc.Serialize(notification));
            var publication = new BroadcastPublication { Kind = BroadcastKinds.Task, Id = id, Payload = payload };
            if (await log.AppendAsync(publication, follower.Head) is { } entry)
                follower.Receive(entry);
        }
        catch (StoreUnavailableException e)
        {
            LogNotTold(taskId, e.Message);
        }
    }

    public Task StartAsync(CancellationToken cancellationToken)
    {
        if (policy.IsUsed(server.Value))
            _listener.Start(OnMessage);
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken) => _listener.StopAsync();

    private async ValueTask WakeAsync(byte mark, string taskId)
    {
        var payload = new byte[1 + taskId.Length];
        payload[0] = mark;
        Encoding.ASCII.GetBytes(taskId, payload.AsSpan(1));
        try
        {
            await bus.PublishAsync(Topic, payload);
        }
        catch (StoreUnavailableException e)
        {
            LogNotTold(taskId, e.Message);
        }
    }

    private ValueTask OnMessage(ReadOnlyMemory<byte> payload)
    {
        if (payload.Length < 2)
            return ValueTask.CompletedTask;
        var taskId = Encoding.ASCII.GetString(payload.Span[1..]);
        (payload.Span[0] == FreeMark ? Freed : Touched)?.Invoke(taskId);
        return ValueTask.CompletedTask;
    }

    [LoggerMessage(Level = LogLevel.Debug, Message = "The change of task {TaskId} was not announced: {Reason} Replicas see it at their next check.")]
    private partial void LogNotTold(string taskId, string reason);
}

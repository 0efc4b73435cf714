using System.Text;
using Mcp.HighAvailability.Broadcast;
using Mcp.HighAvailability.Storage;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using ModelContextProtocol.Server;

namespace Mcp.HighAvailability.Tasks;

/// <summary>Tells all replicas that a task has changed. A notice only wakes: the task is in the store, and a lost notice costs time.</summary>
internal sealed partial class TaskNotices(
    IEventBus bus, TaskPolicy policy, IOptions<McpServerOptions> server, TimeProvider time, ILogger<TaskNotices> logger) : IHostedService
{
    // A notice is a letter, and the task.
    private const string Topic = "tasks";
    private const byte ChangedMark = (byte)'c';
    private const byte FreeMark = (byte)'f';

    private readonly BusListener _listener = new(bus, Topic, time, logger);

    /// <summary>A task has changed, here or elsewhere.</summary>
    public event Action<string>? Changed;

    /// <summary>A task has no owner any more and waits for one.</summary>
    public event Action<string>? Freed;

    /// <summary>Tells that a task has changed. Does not fail.</summary>
    public ValueTask ChangedAsync(string taskId) => TellAsync(ChangedMark, taskId);

    /// <summary>Tells that a task waits for an owner. Does not fail.</summary>
    public ValueTask FreedAsync(string taskId) => TellAsync(FreeMark, taskId);

    public Task StartAsync(CancellationToken cancellationToken)
    {
        if (policy.IsUsed(server.Value))
            _listener.Start(OnMessage);
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken) => _listener.StopAsync();

    private async ValueTask TellAsync(byte mark, string taskId)
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
        (payload.Span[0] == FreeMark ? Freed : Changed)?.Invoke(taskId);
        return ValueTask.CompletedTask;
    }

    [LoggerMessage(Level = LogLevel.Debug, Message = "No replica was told of task {TaskId}. They find out by themselves: {Reason}")]
    private partial void LogNotTold(string taskId, string reason);
}

using System.Collections.Concurrent;
using System.Text.Json;
using System.Text.Json.Nodes;
using Mcp.HighAvailability.Cluster;
using Mcp.HighAvailability.Protocol;
using Mcp.HighAvailability.Security;
using Mcp.HighAvailability.Sessions;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using ModelContextProtocol.Protocol;

namespace Mcp.HighAvailability.Tasks;

/// <summary>The tasks that this replica works on.</summary>
internal sealed partial class TaskHost(
    ITaskStore store,
    TaskServer server,
    TaskNotices notices,
    TaskMetrics metrics,
    KeptIdentity identity,
    ISelfReplica self,
    IOptions<TaskOptions> options,
    IOptions<HighAvailabilityOptions> ha,
    TimeProvider time,
    ILogger<TaskHost> logger) : IStoreCheck
{
    private const int AtOnce = 16;

    private readonly ConcurrentDictionary<string, OwnedTask> _running = new(StringComparer.Ordinal);

    /// <summary>Tasks that run here.</summary>
    public ICollection<OwnedTask> Running => _running.Values;

    public bool Has(string taskId) => _running.ContainsKey(taskId);

    /// <summary>Works on a task that was just created for this replica, by a run that has started or is to start.</summary>
    public void Begin(TaskSnapshot created, TaskRun run, bool started)
    {
        var task = new OwnedTask(created, store, notices, time, logger);
        _running[task.Id] = task;
        run.Attach(task);
        _ = WorkAsync(task, run, started);
    }

    /// <summary>Takes up a task that was another owner's: runs it again if it may be, ends it otherwise.</summary>
    /// <returns>Completes when the task runs, or has ended.</returns>
    public async Task TakeUpAsync(TaskSnapshot claimed)
    {
        var task = new OwnedTask(claimed, store, notices, time, logger);
        _running[task.Id] = task;
        var call = Parse(claimed.Task.Request);
        var tool = JsonRpc.TextParam(call?.Params, "name") ?? "";
        if (claimed.Losses > 0 && !claimed.Task.MayRunTwice)
            await RefuseAsync(task, TaskErrors.MayHaveRun(tool));
        else if (claimed.Losses >= ha.Value.MaxReplicaLosses)
            await RefuseAsync(task, TaskErrors.LostTooOften(tool, claimed.Losses));
        else if (call is null)
            await RefuseAsync(task, TaskErrors.Unreadable());
        else
            Run(task, call);
    }

    /// <summary>Takes up what the store knows of a task that runs here. Does nothing for others.</summary>
    public async Task RefreshAsync(string taskId, CancellationToken cancellationToken)
    {
        if (_running.TryGetValue(taskId, out var task))
            await task.RefreshAsync(cancellationToken);
    }

    /// <summary>Sees to it that the store has the tasks that run here.</summary>
    public Task CheckAsync() => WriteBackAsync(Running, CancellationToken.None);

    /// <summary>Writes tasks back that the store may have lost.</summary>
    public static Task WriteBackAsync(IEnumerable<OwnedTask> tasks, CancellationToken cancellationToken) => Parallel.ForEachAsync(
        tasks,
        new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = cancellationToken },
        static async (task, _) => await task.WriteBackAsync());

    /// <summary>Gives up the tasks that may run again elsewhere. Does not fail.</summary>
    public Task HandOverAsync() => Task.WhenAll(_running.Values.Where(task => task.Task.MayRunTwice).Select(HandOverAsync));

    /// <summary>Gives up or ends the tasks that are left, because this process ends. Does not fail.</summary>
    public Task AbandonAsync() => Task.WhenAll(_running.Values.Select(task => task.Task.MayRunTwice
        ? HandOverAsync(task)
        : EndAsync(task, TaskErrors.MayHaveRun(JsonRpc.TextParam(Parse(task.Task.Request)?.Params, "name") ?? ""))));

    private async Task HandOverAsync(OwnedTask task)
    {
        await task.ReleaseAsync();
        await notices.FreedAsync(task.Id);
    }

    private void Run(OwnedTask task, JsonRpcRequest call)
    {
        var user = identity.Unprotect(task.Task.Identity, task.Id, task.Task.User);
        var run = new TaskRun(call, task.Task.User, task.Id, user);
        run.Attach(task);
        LogAgain(task.Id, task.Epoch);
        _ = WorkAsync(task, run, started: false);
    }

    private async Task WorkAsync(OwnedTask task, TaskRun run, bool started)
    {
        await Task.Yield();
        var span = TaskTrace.Run(task.Task.TraceParent, task.Id, self.Id, task.Epoch);
        var outcome = TaskTrace.Lost;
        try
        {
            if (!started)
                server.Start(run);
            var left = task.Created + options.Value.MaxRunTime - time.GetUtcNow();
            var answer = await AnswerAsync(run).WaitAsync(left > TimeSpan.Zero ? left : TimeSpan.Zero, time);
            outcome = await EndAsync(task, answer);
        }
        catch (TimeoutException)
        {
            await EndAsync(task, TaskErrors.TooLong(options.Value.MaxRunTime));
            outcome = "timeout";
        }
        catch (OperationCanceledException)
        {
            // Cancelled, taken over, or given up: the store has it already.
        }
        catch (Exception e)
        {
            LogFailed(e, task.Id);
            await EndAsync(task, TaskErrors.Internal());
        }
        finally
        {
            run.Cancel();
            _running.TryRemove(new(task.Id, task));
            task.Dispose();
            TaskTrace.End(span, outcome);
        }
    }

    // A tool may ask in place of a result. It runs again with the answers.
    private async Task<JsonRpcMessageWithId> AnswerAsync(TaskRun run)
    {
        for (var round = 0; ; round++)
        {
            var answer = await run.Answer;
            if (answer is not JsonRpcResponse { Result: JsonObject result } || JsonRpc.TextParam(result, "resultType") != "input_required")
                return answer;
            var parameters = run.Request.Params?.DeepClone() as JsonObject ?? [];
            parameters["inputResponses"] = await run.AskAllAsync(result["inputRequests"] as JsonObject ?? [], round);
            parameters.Remove("requestState");
            if (JsonRpc.TextParam(result, "requestState") is { } state)
                parameters["requestState"] = state;
            run.Restart();
            server.Start(run, parameters);
        }
    }

    private static async Task<string> EndAsync(OwnedTask task, JsonRpcMessageWithId answer)
    {
        var (status, outcome, message) = answer switch
        {
            JsonRpcResponse { Result: { } result } => (McpTaskStatus.Completed, JsonBytes.Of(result), null),
            JsonRpcError { Error: var error } => (McpTaskStatus.Failed, JsonSerializer.SerializeToUtf8Bytes(error, JsonRpc.TypeInfo<JsonRpcErrorDetail>()),
                error.Message),
            _ => (McpTaskStatus.Completed, "{}"u8.ToArray(), (string?)null),
        };
        return await task.EndAsync(status, outcome, message) ? status.Name() : TaskTrace.Lost;
    }

    private async Task EndAsync(OwnedTask task, JsonRpcErrorDetail error)
    {
        var outcome = JsonSerializer.SerializeToUtf8Bytes(error, JsonRpc.TypeInfo<JsonRpcErrorDetail>());
        if (await task.EndAsync(McpTaskStatus.Failed, outcome, error.Message) && error.Code == JsonRpc.MayHaveRun)
            metrics.Abandoned();
    }

    private async Task RefuseAsync(OwnedTask task, JsonRpcErrorDetail error)
    {
        try
        {
            LogRefused(task.Id, error.Message);
            await EndAsync(task, error);
        }
        finally
        {
            _running.TryRemove(new(task.Id, task));
            task.Dispose();
        }
    }

    private static JsonRpcRequest? Parse(ReadOnlyMemory<byte> request)
    {
        try
        {
            return JsonRpc.Parse(request.Span) as JsonRpcRequest;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    [LoggerMessage(Level = LogLevel.Debug, Message = "Task {TaskId} continues on this replica. Epoch: {Epoch}.")]
    private partial void LogAgain(string taskId, long epoch);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Task {TaskId} is not run again: {Reason}")]
    private partial void LogRefused(string taskId, string reason);

    [LoggerMessage(Level = LogLevel.Error, Message = "Task {TaskId} failed unexpectedly. Its client gets an error.")]
    private partial void LogFailed(Exception exception, string taskId);
}

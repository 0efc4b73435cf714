using Mcp.HighAvailability.Storage;
using Microsoft.Extensions.Logging;

namespace Mcp.HighAvailability.Tasks;

/// <summary>
/// Brings the changes of one owned task into the store: again while the store is away, and after a write-back when the store has lost the task.
/// </summary>
internal sealed partial class TaskCommits(
    string task, long epoch, Func<TaskSnapshot> copy, CancellationToken lost, ITaskStore store, TaskNotices notices, TimeProvider time, ILogger logger)
{
    private static readonly TimeSpan Retry = TimeSpan.FromMilliseconds(500);

    /// <summary>Applies a change.</summary>
    /// <returns>Committed, fenced or ended.</returns>
    public async Task<TaskCommitted> CommitAsync(TaskChange change)
    {
        while (!lost.IsCancellationRequested)
        {
            try
            {
                var committed = await store.CommitAsync(task, epoch, change);
                if (committed.Outcome != TaskCommit.Lost)
                {
                    if (committed.Outcome != TaskCommit.Committed)
                        LogRefused(task, committed.Outcome);
                    return committed;
                }

                if (await WriteBackAsync() is var result and not TaskCommit.Committed)
                    return new(result, false);
            }
            catch (StoreUnavailableException e)
            {
                LogLater(task, e.Message);
                await Task.Delay(Retry, time, lost).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }

        return new(TaskCommit.Fenced, false);
    }

    /// <summary>Writes the task back if the store lacks it or lists another owner.</summary>
    /// <exception cref="StoreUnavailableException">The store is away.</exception>
    public async Task<TaskCommit> WriteBackAsync()
    {
        var result = await store.WriteBackAsync(copy());
        LogWrittenBack(task, result);
        return result;
    }

    /// <summary>Notifies listeners of the task. Does not fail.</summary>
    public ValueTask AnnounceAsync() => notices.AnnounceAsync(task);

    [LoggerMessage(Level = LogLevel.Debug, Message = "Task {TaskId}: the store refused a change ({Result}). This run ends.")]
    private partial void LogRefused(string taskId, TaskCommit result);

    [LoggerMessage(Level = LogLevel.Debug, Message = "Task {TaskId}: a write waits for the store. {Reason}")]
    private partial void LogLater(string taskId, string reason);

    [LoggerMessage(Level = LogLevel.Information, Message = "Task {TaskId}: the store does not list it for this replica. It was written back: {Result}.")]
    private partial void LogWrittenBack(string taskId, TaskCommit result);
}

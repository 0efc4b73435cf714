namespace Mcp.HighAvailability.Tasks;

/// <summary>Keeps tasks outside the processes that work on them.</summary>
/// <remarks>
/// <para>
/// Every method is one atomic step per task. A task has one owner and an epoch. <see cref="ClaimAsync"/> changes the owner and raises the epoch by one; a
/// change with an older epoch is refused. The first terminal state wins: an ended task never changes again.
/// </para>
/// <para>
/// The store also knows the tasks of each owner that have not ended. A task that has not ended is always among them. One that has ended, or has moved,
/// may be for a while, when a process dies in between; <see cref="ForgetAsync"/> removes it. Replicas look at all times, also between the parts of a step:
/// a task that is missing, or another owner's, may be about to become this owner's.
/// </para>
/// <para>When the backend is away all methods throw <see cref="Storage.StoreUnavailableException"/>; every method may be repeated. Thread-safe.</para>
/// </remarks>
public interface ITaskStore
{
    /// <summary>Creates a task, status <see cref="McpTaskStatus.Working"/>, epoch 1. When it returns, every replica can read the task.</summary>
    ValueTask<TaskCreation> CreateAsync(NewTask task, TaskQuota quota, CancellationToken cancellationToken = default);

    /// <summary>Reads what can change of a task; <see langword="null"/> when it is unknown or has expired.</summary>
    ValueTask<TaskView?> ReadAsync(string taskId, CancellationToken cancellationToken = default);

    /// <summary>Notes that a client listens to a task that has not ended (<see cref="TaskView.IsListened"/>). Every later change says so.</summary>
    /// <returns>The task as it is then; <see langword="null"/> when it is unknown to this user.</returns>
    ValueTask<TaskView?> ListenAsync(string taskId, string user, CancellationToken cancellationToken = default);

    /// <summary>
    /// Applies what the owner did, if it is still the owner and the task has not ended. Renews the task's time to live when half of it is over; an empty
    /// change does nothing else.
    /// </summary>
    /// <param name="taskId">The task.</param>
    /// <param name="epoch">The epoch in which the caller owns the task.</param>
    /// <param name="change">What changes, all at once.</param>
    /// <param name="cancellationToken">Gives up waiting.</param>
    ValueTask<TaskCommitted> CommitAsync(string taskId, long epoch, TaskChange change, CancellationToken cancellationToken = default);

    /// <summary>
    /// Adds the client's answers. Keys that were not asked for, and keys that have an answer, are ignored. The task is <see cref="McpTaskStatus.Working"/>
    /// again when no question is left.
    /// </summary>
    /// <returns>The task as it is then; <see langword="null"/> when it is unknown to this user.</returns>
    ValueTask<TaskView?> AnswerAsync(
        string taskId, string user, IReadOnlyCollection<KeyValuePair<string, ReadOnlyMemory<byte>>> answers, CancellationToken cancellationToken = default);

    /// <summary>Ends a task as <see cref="McpTaskStatus.Cancelled"/>, unless it has ended. Its owner is refused from then on.</summary>
    /// <returns>The task as it is then; <see langword="null"/> when it is unknown to this user.</returns>
    ValueTask<TaskView?> CancelAsync(string taskId, string user, CancellationToken cancellationToken = default);

    /// <summary>Makes a replica the owner of a task that has not ended, if <paramref name="from"/> is its owner now.</summary>
    /// <param name="taskId">The task.</param>
    /// <param name="from">The owner that was lost; <see cref="TaskOwners.None"/> for a task that was given up.</param>
    /// <param name="owner">The new owner.</param>
    /// <param name="cancellationToken">Gives up waiting.</param>
    /// <returns>All of the task; <see langword="null"/> when it has ended, is unknown, or has another owner.</returns>
    ValueTask<TaskSnapshot?> ClaimAsync(string taskId, string from, string owner, CancellationToken cancellationToken = default);

    /// <summary>
    /// Writes a task back that the store may have lost, as its owner knows it: creates the record if it is missing or of an older epoch, and enters the task
    /// with its owner. A record of the same epoch stays as it is. No quota binds.
    /// </summary>
    /// <returns>
    /// <see cref="TaskCommit.Committed"/>: the store has the task, and the caller owns it; <see cref="TaskCommit.Fenced"/> or
    /// <see cref="TaskCommit.Ended"/>: the
    /// store knows better.
    /// </returns>
    ValueTask<TaskCommit> WriteBackAsync(TaskSnapshot task, CancellationToken cancellationToken = default);

    /// <summary>Owners that may have tasks that have not ended, <see cref="TaskOwners.None"/> included.</summary>
    ValueTask<IReadOnlyList<string>> OwnersAsync(CancellationToken cancellationToken = default);

    /// <summary>Tasks of an owner that may not have ended.</summary>
    ValueTask<IReadOnlyList<string>> OwnedAsync(string owner, CancellationToken cancellationToken = default);

    /// <summary>
    /// Removes a task from those of an owner, because it has ended or is another one's. Does nothing while the task is the owner's, or may be about to
    /// become so; then a later call removes it.
    /// </summary>
    ValueTask ForgetAsync(string taskId, string owner, CancellationToken cancellationToken = default);

    /// <summary>Gives the places of expired tasks free. Looks at a bounded number of tasks.</summary>
    /// <returns>Tasks that were looked at; as many as fit in one step mean that there may be more.</returns>
    ValueTask<int> SweepAsync(CancellationToken cancellationToken = default);
}

/// <summary>Names of owners that are no replicas.</summary>
public static class TaskOwners
{
    /// <summary>The owner of a task that its owner has given up, so that another replica takes it.</summary>
    public const string None = "*";
}

using Mcp.HighAvailability.Tasks;

namespace McpHa.Tests;

/// <summary>A replica's way to the tasks that ends as the replica does when it dies: before or after one of its changes, and for good.</summary>
/// <param name="inner">The store of all replicas.</param>
/// <param name="dieAt">The change at which it dies, from 1; 0: never.</param>
/// <param name="afterwards">Whether that change is still applied.</param>
/// <param name="mayDie">Asked at that change.</param>
internal sealed class MortalTaskStore(InMemoryTaskStore inner, int dieAt, bool afterwards, Func<bool> mayDie) : ITaskStore
{
    private readonly TaskCompletionSource _died = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _buried = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _changes;

    /// <summary>Completes at its death.</summary>
    public Task Died => _died.Task;

    public bool IsDead => _died.Task.IsCompleted;

    /// <summary>Lets what the dead replica waits for end, so that its host can be disposed.</summary>
    public void Bury() => _buried.TrySetResult();

    public ValueTask<TaskCreation> CreateAsync(NewTask task, TaskQuota quota, CancellationToken cancellationToken = default) =>
        ChangeAsync(() => inner.CreateAsync(task, quota, cancellationToken), new TaskCreation.TooMany(false));

    public ValueTask<TaskView?> ReadAsync(string taskId, CancellationToken cancellationToken = default) =>
        LookAsync(() => inner.ReadAsync(taskId, cancellationToken), null);

    public ValueTask<TaskView?> ListenAsync(string taskId, string user, CancellationToken cancellationToken = default) =>
        ChangeAsync(() => inner.ListenAsync(taskId, user, cancellationToken), null);

    public ValueTask<TaskCommitted> CommitAsync(string taskId, long epoch, TaskChange change, CancellationToken cancellationToken = default) =>
        ChangeAsync(() => inner.CommitAsync(taskId, epoch, change, cancellationToken), new TaskCommitted(TaskCommit.Fenced, false));

    public ValueTask<TaskView?> AnswerAsync(
        string taskId, string user, IReadOnlyCollection<KeyValuePair<string, ReadOnlyMemory<byte>>> answers, CancellationToken cancellationToken = default) =>
        ChangeAsync(() => inner.AnswerAsync(taskId, user, answers, cancellationToken), null);

    public ValueTask<TaskView?> CancelAsync(string taskId, string user, CancellationToken cancellationToken = default) =>
        ChangeAsync(() => inner.CancelAsync(taskId, user, cancellationToken), null);

    public ValueTask<TaskSnapshot?> ClaimAsync(string taskId, string from, string owner, CancellationToken cancellationToken = default) =>
        ChangeAsync(() => inner.ClaimAsync(taskId, from, owner, cancellationToken), null);

    public ValueTask<TaskCommit> WriteBackAsync(TaskSnapshot task, CancellationToken cancellationToken = default) =>
        ChangeAsync(() => inner.WriteBackAsync(task, cancellationToken), TaskCommit.Fenced);

    public ValueTask<IReadOnlyList<string>> OwnersAsync(CancellationToken cancellationToken = default) =>
        LookAsync(() => inner.OwnersAsync(cancellationToken), []);

    public ValueTask<IReadOnlyList<string>> OwnedAsync(string owner, CancellationToken cancellationToken = default) =>
        LookAsync(() => inner.OwnedAsync(owner, cancellationToken), []);

    public async ValueTask ForgetAsync(string taskId, string owner, CancellationToken cancellationToken = default) => await LookAsync<object?>(
        async () =>
        {
            await inner.ForgetAsync(taskId, owner, cancellationToken);
            return null;
        },
        null);

    public ValueTask<int> SweepAsync(CancellationToken cancellationToken = default) => LookAsync(() => inner.SweepAsync(cancellationToken), 0);

    private async ValueTask<T> ChangeAsync<T>(Func<ValueTask<T>> change, T buried)
    {
        var isLast = Interlocked.Increment(ref _changes) == dieAt && mayDie();
        if (IsDead || isLast && !afterwards)
            return await DieAsync(buried);
        var result = await change();
        return isLast ? await DieAsync(buried) : result;
    }

    private async ValueTask<T> LookAsync<T>(Func<ValueTask<T>> look, T buried) => IsDead ? await DieAsync(buried) : await look();

    private async ValueTask<T> DieAsync<T>(T buried)
    {
        _died.TrySetResult();
        await _buried.Task;
        return buried;
    }
}

using System.Collections.Concurrent;
using Mcp.HighAvailability.Tasks;

namespace Mcp.HighAvailability.Lab.Chaos.Mutations;

/// <summary>A store of tasks that breaks one promise; what it is not told to break it passes on.</summary>
internal abstract class MutatedTaskStore(ITaskStore inner) : ITaskStore
{
    protected ITaskStore Inner => inner;

    /// <summary>The store without the safeguard of that name; <see langword="null"/>: this safeguard is not the store's.</summary>
    public static ITaskStore? Without(string safeguard, ITaskStore inner) => safeguard switch
    {
        "TaskFence" => new Unfenced(inner),
        "TaskCreation" => new Late(inner),
        "TaskRerunPolicy" => new Rerunning(inner),
        _ => null,
    };

    public virtual ValueTask<TaskCreation> CreateAsync(NewTask task, TaskQuota quota, CancellationToken cancellationToken = default) =>
        inner.CreateAsync(task, quota, cancellationToken);

    public virtual ValueTask<TaskView?> ReadAsync(string taskId, CancellationToken cancellationToken = default) => inner.ReadAsync(taskId, cancellationToken);

    public ValueTask<TaskView?> ListenAsync(string taskId, string user, CancellationToken cancellationToken = default) =>
        inner.ListenAsync(taskId, user, cancellationToken);

    public virtual ValueTask<TaskCommitted> CommitAsync(string taskId, long epoch, TaskChange change, CancellationToken cancellationToken = default) =>
        inner.CommitAsync(taskId, epoch, change, cancellationToken);

    public ValueTask<TaskView?> AnswerAsync(
        string taskId, string user, IReadOnlyCollection<KeyValuePair<string, ReadOnlyMemory<byte>>> answers, CancellationToken cancellationToken = default) =>
        inner.AnswerAsync(taskId, user, answers, cancellationToken);

    public ValueTask<TaskView?> CancelAsync(string taskId, string user, CancellationToken cancellationToken = default) =>
        inner.CancelAsync(taskId, user, cancellationToken);

    public virtual ValueTask<TaskSnapshot?> ClaimAsync(string taskId, string from, string owner, CancellationToken cancellationToken = default) =>
        inner.ClaimAsync(taskId, from, owner, cancellationToken);

    public virtual ValueTask<TaskCommit> WriteBackAsync(TaskSnapshot task, CancellationToken cancellationToken = default) =>
        inner.WriteBackAsync(task, cancellationToken);

    public ValueTask<IReadOnlyList<string>> OwnersAsync(CancellationToken cancellationToken = default) => inner.OwnersAsync(cancellationToken);

    public ValueTask<IReadOnlyList<string>> OwnedAsync(string owner, CancellationToken cancellationToken = default) =>
        inner.OwnedAsync(owner, cancellationToken);

    public ValueTask ForgetAsync(string taskId, string owner, CancellationToken cancellationToken = default) =>
        inner.ForgetAsync(taskId, owner, cancellationToken);

    public ValueTask<int> SweepAsync(CancellationToken cancellationToken = default) => inner.SweepAsync(cancellationToken);

    // What an owner writes whose epoch is over is applied all the same, and nothing tells it that there is another one.
    private sealed class Unfenced(ITaskStore inner) : MutatedTaskStore(inner)
    {
        private readonly ConcurrentDictionary<string, long> _mine = new(StringComparer.Ordinal);

        public override async ValueTask<TaskView?> ReadAsync(string taskId, CancellationToken cancellationToken = default) =>
            await Inner.ReadAsync(taskId, cancellationToken) is { } view ? _mine.TryGetValue(taskId, out var epoch) ? view with { Epoch = epoch } : view : null;

        public override async ValueTask<TaskCommitted> CommitAsync(string taskId, long epoch, TaskChange change, CancellationToken cancellationToken = default)
        {
            _mine[taskId] = epoch;
            var committed = await Inner.CommitAsync(taskId, epoch, change, cancellationToken);
            return committed.Outcome == TaskCommit.Fenced && await Inner.ReadAsync(taskId, cancellationToken) is { } view
                ? await Inner.CommitAsync(taskId, view.Epoch, change, cancellationToken)
                : committed;
        }

        public override async ValueTask<TaskSnapshot?> ClaimAsync(string taskId, string from, string owner, CancellationToken cancellationToken = default)
        {
            var claimed = await Inner.ClaimAsync(taskId, from, owner, cancellationToken);
            if (claimed is not null)
                _mine[taskId] = claimed.View.Epoch;
            return claimed;
        }

        public override async ValueTask<TaskCommit> WriteBackAsync(TaskSnapshot task, CancellationToken cancellationToken = default) =>
            await Inner.WriteBackAsync(task, cancellationToken) is var result && result == TaskCommit.Fenced ? TaskCommit.Committed : result;
    }

    // A creation is answered before it is in the store.
    private sealed class Late(ITaskStore inner) : MutatedTaskStore(inner)
    {
        private static readonly TimeSpan Delay = TimeSpan.FromMilliseconds(500);

        private readonly ConcurrentDictionary<string, Task> _writing = new(StringComparer.Ordinal);

        public override ValueTask<TaskCreation> CreateAsync(NewTask task, TaskQuota quota, CancellationToken cancellationToken = default)
        {
            _writing[task.Id] = WriteAsync();
            var now = TimeProvider.System.GetUtcNow();
            return new(new TaskCreation.Created(new TaskView
            {
                Id = task.Id, Status = McpTaskStatus.Working, Created = now, Updated = now, TimeToLive = task.TimeToLive, PollInterval = task.PollInterval,
                User = task.User, Owner = task.Owner, Epoch = 1, Version = 1,
            }));

            async Task WriteAsync()
            {
                await Task.Delay(Delay, CancellationToken.None);
                await Inner.CreateAsync(task, quota, CancellationToken.None);
            }
        }

        // The owner itself waits for what is on its way.
        public override async ValueTask<TaskCommitted> CommitAsync(string taskId, long epoch, TaskChange change, CancellationToken cancellationToken = default)
        {
            if (_writing.TryGetValue(taskId, out var writing))
                await writing.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            return await base.CommitAsync(taskId, epoch, change, cancellationToken);
        }

        public override async ValueTask<TaskCommit> WriteBackAsync(TaskSnapshot task, CancellationToken cancellationToken = default)
        {
            if (_writing.TryGetValue(task.View.Id, out var writing))
                await writing.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            return await base.WriteBackAsync(task, cancellationToken);
        }
    }

    // Every task counts as one that may run again.
    private sealed class Rerunning(ITaskStore inner) : MutatedTaskStore(inner)
    {
        public override ValueTask<TaskCreation> CreateAsync(NewTask task, TaskQuota quota, CancellationToken cancellationToken = default) =>
            base.CreateAsync(task with { MayRunTwice = true }, quota, cancellationToken);
    }
}

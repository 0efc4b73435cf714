using System.Diagnostics.CodeAnalysis;

namespace Mcp.HighAvailability.Tasks;

/// <summary>Keeps tasks in this process. Thread-safe; one lock for all tasks, no I/O under it.</summary>
internal sealed class InMemoryTaskStore(TimeProvider time) : ITaskStore
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, InMemoryTask> _tasks = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> _exchanges = new(StringComparer.Ordinal);
    private readonly Dictionary<string, int> _users = new(StringComparer.Ordinal);
    private readonly Dictionary<string, HashSet<string>> _owned = new(StringComparer.Ordinal);

    public ValueTask<TaskCreation> CreateAsync(NewTask task, TaskQuota quota, CancellationToken cancellationToken = default)
    {
        lock (_gate)
        {
            if (task.Exchange.Length > 0 && _exchanges.TryGetValue(task.Exchange, out var made) && TryGet(made, out var before))
                return new(new TaskCreation.Repeated(before.View()));
            if (_tasks.Count >= quota.Total)
                return new(new TaskCreation.TooMany(OfUser: false));
            if (task.User.Length > 0 && _users.GetValueOrDefault(task.User) >= quota.PerUser)
                return new(new TaskCreation.TooMany(OfUser: true));
            var created = Add(new InMemoryTask(task, Now));
            if (task.Exchange.Length > 0)
                _exchanges[task.Exchange] = task.Id;
            Own(task.Owner, task.Id);
            return new(new TaskCreation.Created(created.View()));
        }
    }

    public ValueTask<TaskView?> ReadAsync(string taskId, CancellationToken cancellationToken = default)
    {
        lock (_gate)
            return new(TryGet(taskId, out var task) ? task.View() : null);
    }

    public ValueTask<TaskView?> ListenAsync(string taskId, string user, CancellationToken cancellationToken = default)
    {
        lock (_gate)
        {
            if (!TryGet(taskId, out var task) || !task.BelongsTo(user))
                return new((TaskView?)null);
            task.IsListened |= !task.Status.IsTerminal();
            return new(task.View());
        }
    }

    public ValueTask<TaskCommitted> CommitAsync(string taskId, long epoch, TaskChange change, CancellationToken cancellationToken = default)
    {
        lock (_gate)
        {
            if (!TryGet(taskId, out var task) || task.Epoch < epoch)
                return new(new TaskCommitted(TaskCommit.Lost, false));
            if (task.Status.IsTerminal())
                return new(new TaskCommitted(TaskCommit.Ended, false));
            if (task.Epoch > epoch)
                return new(new TaskCommitted(TaskCommit.Fenced, false));
            var owner = task.Owner;
            task.Apply(change, Now);
            if (change.Release)
                Own(TaskOwners.None, taskId);
            if (change.Release || change.End is not null)
                Disown(owner, taskId);
            return new(new TaskCommitted(TaskCommit.Committed, task.IsListened));
        }
    }

    public ValueTask<TaskCommit> WriteBackAsync(TaskSnapshot snapshot, CancellationToken cancellationToken = default)
    {
        var (id, owner) = (snapshot.View.Id, snapshot.View.Owner);
        lock (_gate)
        {
            if (TryGet(id, out var task))
            {
                if (task.Status.IsTerminal())
                    return new(TaskCommit.Ended);
                if (task.Epoch > snapshot.View.Epoch || task.Epoch == snapshot.View.Epoch && task.Owner != owner)
                    return new(TaskCommit.Fenced);
                if (task.Epoch < snapshot.View.Epoch)
                    Remove(task);
            }

            if (!_tasks.ContainsKey(id))
                Add(new InMemoryTask(snapshot, Now));
            Own(owner, id);
            return new(TaskCommit.Committed);
        }
    }

    /// <summary>Loses everything, as a store that is restarted without its data.</summary>
    internal void Clear()
    {
        lock (_gate)
        {
            _tasks.Clear();
            _exchanges.Clear();
            _users.Clear();
            _owned.Clear();
        }
    }

    public ValueTask<TaskView?> AnswerAsync(
        string taskId, string user, IReadOnlyCollection<KeyValuePair<string, ReadOnlyMemory<byte>>> answers, CancellationToken cancellationToken = default)
    {
        lock (_gate)
        {
            if (!TryGet(taskId, out var task) || !task.BelongsTo(user))
                return new((TaskView?)null);
            if (!task.Status.IsTerminal())
                task.Answer(answers, Now);
            return new(task.View());
        }
    }

    public ValueTask<TaskView?> CancelAsync(string taskId, string user, CancellationToken cancellationToken = default)
    {
        lock (_gate)
        {
            if (!TryGet(taskId, out var task) || !task.BelongsTo(user))
                return new((TaskView?)null);
            if (!task.Status.IsTerminal())
            {
                Disown(task.Owner, taskId);
                task.Epoch++;
                task.Apply(new TaskChange { End = McpTaskStatus.Cancelled }, Now);
            }

            return new(task.View());
        }
    }

    public ValueTask<TaskSnapshot?> ClaimAsync(string taskId, string from, string owner, CancellationToken cancellationToken = default)
    {
        lock (_gate)
        {
            if (!TryGet(taskId, out var task) || task.Status.IsTerminal() || task.Owner != from)
                return new((TaskSnapshot?)null);
            Disown(from, taskId);
            Own(owner, taskId);
            task.Move(owner, lost: from != TaskOwners.None, Now);
            return new(task.Snapshot());
        }
    }

    public ValueTask<IReadOnlyList<string>> OwnersAsync(CancellationToken cancellationToken = default)
    {
        lock (_gate)
            return new([.. _owned.Keys]);
    }

    public ValueTask<IReadOnlyList<string>> OwnedAsync(string owner, CancellationToken cancellationToken = default)
    {
        lock (_gate)
            return new(_owned.TryGetValue(owner, out var tasks) ? [.. tasks] : []);
    }

    public ValueTask ForgetAsync(string taskId, string owner, CancellationToken cancellationToken = default)
    {
        lock (_gate)
        {
            if (!TryGet(taskId, out var task) || task.Status.IsTerminal() || task.Owner != owner)
                Disown(owner, taskId);
        }

        return ValueTask.CompletedTask;
    }

    public ValueTask<int> SweepAsync(CancellationToken cancellationToken = default)
    {
        lock (_gate)
        {
            var now = Now;
            var expired = _tasks.Values.Where(task => task.Expires <= now).Take(TaskStoreLimits.SweepBatch).ToList();
            foreach (var task in expired)
                Remove(task);
            return new(expired.Count);
        }
    }

    private DateTimeOffset Now => DateTimeOffset.FromUnixTimeMilliseconds(time.GetUtcNow().ToUnixTimeMilliseconds());

    private bool TryGet(string taskId, [NotNullWhen(true)] out InMemoryTask? task)
    {
        if (!_tasks.TryGetValue(taskId, out task))
            return false;
        if (task.Expires > Now)
            return true;
        Remove(task);
        task = null;
        return false;
    }

    private InMemoryTask Add(InMemoryTask task)
    {
        _tasks[task.Id] = task;
        if (task.User.Length > 0)
            _users[task.User] = _users.GetValueOrDefault(task.User) + 1;
        return task;
    }

    private void Remove(InMemoryTask task)
    {
        _tasks.Remove(task.Id);
        Disown(task.Owner, task.Id);
        if (task.Exchange.Length > 0)
            _exchanges.Remove(task.Exchange);
        if (task.User.Length > 0 && --_users[task.User] == 0)
            _users.Remove(task.User);
    }

    private void Own(string owner, string taskId)
    {
        if (!_owned.TryGetValue(owner, out var tasks))
            _owned[owner] = tasks = new(StringComparer.Ordinal);
        tasks.Add(taskId);
    }

    private void Disown(string owner, string taskId)
    {
        if (_owned.TryGetValue(owner, out var tasks) && tasks.Remove(taskId) && tasks.Count == 0)
            _owned.Remove(owner);
    }
}

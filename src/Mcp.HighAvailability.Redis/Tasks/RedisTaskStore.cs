using System.Security.Cryptography;
using System.Text;
using Mcp.HighAvailability.Tasks;
using StackExchange.Redis;

namespace Mcp.HighAvailability.Redis;

/// <summary>Keeps tasks in Redis: the keys of each task in its own hash slot, and one index of all tasks in another.</summary>
/// <remarks>
/// Invariant: a task that has not ended is in the index. It is entered before it is written, and removed after it has ended. A process that dies in between
/// leaves an entry too many. A look removes it, but not before <see cref="EntryGrace"/>: until then the write may still follow.
/// </remarks>
internal sealed class RedisTaskStore(RedisConnection redis) : ITaskStore
{
    private const string Anonymous = "-";
    private const int HashBytes = 12;

    private RedisKeys Keys => redis.Keys;

    /// <summary>How long an entry stays whose task is missing or another owner's.</summary>
    public TimeSpan EntryGrace { get; init; } = TaskStoreLimits.EntryGrace;

    public async ValueTask<TaskCreation> CreateAsync(NewTask task, TaskQuota quota, CancellationToken cancellationToken = default)
    {
        var (exchange, attempt) = (task.Exchange.Length > 0 ? Hash(task.Exchange) : "", task.Id);
        var admission = (RedisValue[])(await redis.EvaluateAsync(
            RedisTaskScripts.Admit,
            [Keys.TasksKept, Keys.TaskUsers, Keys.TaskOwners, Keys.TasksOf(task.Owner), Keys.TaskOf(exchange)],
            [
                task.Id, UserOf(task.User), task.Owner, RedisTaskRecord.Milliseconds(task.TimeToLive),
                quota.Total, quota.PerUser, exchange.Length > 0 ? RedisTaskRecord.Milliseconds(TaskStoreLimits.ExchangeMemory) : 0,
            ],
            cancellationToken))!;
        switch ((int)admission[0])
        {
            case 2:
                // The replica that was asked first may have died between the two steps, or be between them.
                var id = (string)admission[1]!;
                if (await ReadAsync(id, cancellationToken) is { } before)
                    return new TaskCreation.Repeated(before);
                task = task with { Id = id };
                await OwnAsync(id, task.Owner, cancellationToken);
                break;
            case 3:
                return new TaskCreation.TooMany(OfUser: false);
            case 4:
                return new TaskCreation.TooMany(OfUser: true);
        }

        var keys = Keys.WholeTask(task.Id);
        var parts = (RedisResult[])(await redis.EvaluateAsync(RedisTaskScripts.Create, keys, RedisTaskRecord.Write(task, attempt), cancellationToken))!;
        return RedisTaskRecord.ReadView(task.Id, keys[0], parts[1]) is not { } created ? throw RedisFaults.InvalidRecord(keys[0])
            : (string?)parts[0] == attempt ? new TaskCreation.Created(created)
            : new TaskCreation.Repeated(created);
    }

    public async ValueTask<TaskView?> ReadAsync(string taskId, CancellationToken cancellationToken = default)
    {
        var keys = Keys.WholeTask(taskId);
        return RedisTaskRecord.ReadView(taskId, keys[0], await redis.EvaluateAsync(RedisTaskScripts.Read, keys, [], cancellationToken));
    }

    public async ValueTask<TaskView?> ListenAsync(string taskId, string user, CancellationToken cancellationToken = default)
    {
        var keys = Keys.WholeTask(taskId);
        return RedisTaskRecord.ReadView(taskId, keys[0], await redis.EvaluateAsync(RedisTaskScripts.Listen, keys, [user], cancellationToken));
    }

    public async ValueTask<TaskCommitted> CommitAsync(string taskId, long epoch, TaskChange change, CancellationToken cancellationToken = default)
    {
        const int Fixed = 8;
        var arguments = new RedisValue[Fixed + 2 * change.Inputs.Count + RedisChanges.Length(change.State)];
        arguments[0] = epoch;
        arguments[1] = change.End?.Name() ?? "";
        arguments[2] = RedisFields.Value(change.Outcome);
        arguments[3] = change.Release ? 1 : 0;
        arguments[4] = change.Message is null ? 0 : 1;
        arguments[5] = change.Message ?? "";
        arguments[6] = change.Inputs.Count;
        arguments[7] = change.State.Count;
        var at = Fixed;
        foreach (var (key, request) in change.Inputs)
        {
            arguments[at++] = key;
            arguments[at++] = RedisFields.Value(request);
        }

        RedisChanges.Write(change.State, arguments, at);
        if (change.Release)
            await OwnAsync(taskId, TaskOwners.None, cancellationToken);
        var result = (RedisValue[])(await redis.EvaluateAsync(RedisTaskScripts.Commit, Keys.WholeTask(taskId), arguments, cancellationToken))!;
        switch ((int)result[0])
        {
            case 1:
                if (change.Release || change.End is not null)
                    await DisownAsync(taskId, result[1]!, cancellationToken);
                return new(TaskCommit.Committed, result[2] == 1);
            case 0:
                return new(TaskCommit.Fenced, false);
            case 2:
                return new(TaskCommit.Ended, false);
            default:
                return new(TaskCommit.Lost, false);
        }
    }

    public async ValueTask<TaskCommit> WriteBackAsync(TaskSnapshot task, CancellationToken cancellationToken = default)
    {
        var (id, owner) = (task.View.Id, task.View.Owner);
        await redis.EvaluateAsync(
            RedisTaskScripts.Enter,
            [Keys.TasksKept, Keys.TaskUsers, Keys.TaskOwners, Keys.TasksOf(owner)],
            [id, UserOf(task.View.User), owner, RedisTaskRecord.Milliseconds(task.Task.TimeToLive)],
            cancellationToken);
        var answer = await redis.EvaluateAsync(RedisTaskScripts.WriteBack, Keys.WholeTask(id), RedisTaskRecord.WriteBack(task), cancellationToken);
        if (OwnerIn(answer) is { } actual)
        {
            if (actual != owner)
                await DisownAsync(id, owner, cancellationToken);
            return TaskCommit.Fenced;
        }

        if ((int)answer == 1)
            return TaskCommit.Committed;
        await DisownAsync(id, owner, cancellationToken);
        return TaskCommit.Ended;
    }

    public async ValueTask<TaskView?> AnswerAsync(
        string taskId, string user, IReadOnlyCollection<KeyValuePair<string, ReadOnlyMemory<byte>>> answers, CancellationToken cancellationToken = default)
    {
        var keys = Keys.WholeTask(taskId);
        List<RedisValue> arguments = [user];
        foreach (var (key, answer) in answers)
        {
            arguments.Add(key);
            arguments.Add(RedisFields.Value(answer));
        }

        return RedisTaskRecord.ReadView(taskId, keys[0], await redis.EvaluateAsync(RedisTaskScripts.Answer, keys, [.. arguments], cancellationToken));
    }

    public async ValueTask<TaskView?> CancelAsync(string taskId, string user, CancellationToken cancellationToken = default)
    {
        var keys = Keys.WholeTask(taskId);
        var view = RedisTaskRecord.ReadView(taskId, keys[0], await redis.EvaluateAsync(RedisTaskScripts.Cancel, keys, [user], cancellationToken));
        if (view is not null)
            await DisownAsync(taskId, view.Owner, cancellationToken);
        return view;
    }

    public async ValueTask<TaskSnapshot?> ClaimAsync(string taskId, string from, string owner, CancellationToken cancellationToken = default)
    {
        var keys = Keys.WholeTask(taskId);

        // The entry that leads a replica to a task of its own keeps its age.
        if (from != owner)
            await OwnAsync(taskId, owner, cancellationToken);
        var answer = await redis.EvaluateAsync(RedisTaskScripts.Claim, keys, [from, owner], cancellationToken);
        var claimed = RedisTaskRecord.ReadSnapshot(taskId, keys[0], answer);

        // The entry of this claim goes when it is refused, unless the task is the replica's anyway: an earlier claim got no answer.
        if (from != owner && OwnerIn(answer) != owner)
            await DisownAsync(taskId, claimed is null ? owner : from, cancellationToken);
        return claimed;
    }

    public async ValueTask<IReadOnlyList<string>> OwnersAsync(CancellationToken cancellationToken = default) =>
        Texts(await redis.RunAsync(static (database, key) => database.HashKeysAsync(key), Keys.TaskOwners, cancellationToken));

    public async ValueTask<IReadOnlyList<string>> OwnedAsync(string owner, CancellationToken cancellationToken = default) =>
        Texts(await redis.RunAsync(static (database, key) => database.HashKeysAsync(key), Keys.TasksOf(owner), cancellationToken));

    public async ValueTask ForgetAsync(string taskId, string owner, CancellationToken cancellationToken = default)
    {
        var view = await ReadAsync(taskId, cancellationToken);
        var ended = view?.Status.IsTerminal() == true;
        if (ended || view?.Owner != owner)
            await DisownAsync(taskId, owner, cancellationToken, ended ? TimeSpan.Zero : EntryGrace);
    }

    public async ValueTask<int> SweepAsync(CancellationToken cancellationToken = default)
    {
        var due = (RedisValue[])(await redis.EvaluateAsync(
            RedisTaskScripts.Due,
            [Keys.TasksKept],
            [TaskStoreLimits.SweepBatch, RedisTaskRecord.Milliseconds(TaskStoreLimits.SweepLease)],
            cancellationToken))!;
        if (due.Length == 0)
            return 0;
        var settled = new RedisValue[3 * due.Length];
        await Task.WhenAll(due.Select(async (member, at) =>
        {
            var (taskId, user) = ((string)member!).Split(' ') is [var id, var of] ? (id, of) : ((string)member!, Anonymous);
            var left = await redis.RunAsync(static (database, key) => database.KeyTimeToLiveAsync(key), Keys.Task(taskId), cancellationToken);
            settled[3 * at] = member;
            settled[3 * at + 1] = user;
            settled[3 * at + 2] = left is { } time ? RedisTaskRecord.Milliseconds(time) : 0;
        }));
        await redis.EvaluateAsync(RedisTaskScripts.Settle, [Keys.TasksKept, Keys.TaskUsers], settled, cancellationToken);
        return due.Length;
    }

    private async ValueTask OwnAsync(string taskId, string owner, CancellationToken cancellationToken) =>
        await redis.EvaluateAsync(RedisTaskScripts.Own, [Keys.TaskOwners, Keys.TasksOf(owner)], [owner, taskId], cancellationToken);

    private async ValueTask DisownAsync(string taskId, string owner, CancellationToken cancellationToken, TimeSpan grace = default) =>
        await redis.EvaluateAsync(
            RedisTaskScripts.Disown, [Keys.TaskOwners, Keys.TasksOf(owner)], [owner, taskId, (long)grace.TotalMilliseconds], cancellationToken);

    // A script that is refused answers with the name of the owner.
    private static string? OwnerIn(RedisResult answer) => answer.Resp2Type is ResultType.BulkString or ResultType.SimpleString ? (string?)answer : null;

    private static string UserOf(string user) => user.Length > 0 ? Hash(user) : Anonymous;

    private static string Hash(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)).AsSpan(0, HashBytes));

    private static string[] Texts(RedisValue[] values) => Array.ConvertAll(values, static value => (string)value!);
}

using Mcp.HighAvailability.Tasks;
using StackExchange.Redis;

namespace Mcp.HighAvailability.Redis;

/// <summary>A task as fields of hashes.</summary>
internal static class RedisTaskRecord
{
    private const string Question = "q:";
    private const string Reply = "a:";

    /// <summary>Fields and values of a new task, one after the other, behind its time to live and the name of the attempt.</summary>
    public static RedisValue[] Write(NewTask task, string attempt) =>
        [Milliseconds(task.TimeToLive), attempt, .. Beginning(task), "owner", task.Owner, "message", "", "outcome", ""];

    /// <summary>The arguments that write a task back.</summary>
    public static RedisValue[] WriteBack(TaskSnapshot task)
    {
        var view = task.View;
        RedisValue[] fields =
        [
            .. Beginning(task.Task),
            "owner", view.Owner,
            "message", view.Message,
            "outcome", "",
            "status", view.Status.Name(),
            "created", view.Created.ToUnixTimeMilliseconds(),
            "updated", view.Updated.ToUnixTimeMilliseconds(),
            "life", Milliseconds(task.Task.TimeToLive),
            "epoch", view.Epoch,
            "version", view.Version,
            "losses", task.Losses,
            "open", view.Inputs.Count(input => input.Answer is null),
            "listened", view.IsListened ? 1 : 0,
            "by", view.Id,
        ];
        List<RedisValue> inputs = [];
        foreach (var input in view.Inputs)
        {
            inputs.AddRange([Question + input.Key, RedisFields.Value(input.Request)]);
            if (input.Answer is { } answer)
                inputs.AddRange([Reply + input.Key, RedisFields.Value(answer)]);
        }

        return
        [
            view.Epoch, view.Owner, Milliseconds(task.Task.TimeToLive), fields.Length / 2, inputs.Count / 2, task.State.Count, .. fields, .. inputs,
            .. task.State.SelectMany(entry => (RedisValue[])[entry.Key, RedisFields.Value(entry.Value)]),
        ];
    }

    // What does not change.
    private static RedisValue[] Beginning(NewTask task) =>
    [
        "user", task.User,
        "rerun", task.MayRunTwice ? 1 : 0,
        "poll", Milliseconds(task.PollInterval),
        "trace", task.TraceParent,
        "request", RedisFields.Value(task.Request),
        "identity", RedisFields.Value(task.Identity),
    ];

    /// <summary>Reads a view from the answer of a script; <see langword="null"/>: there is no such task.</summary>
    public static TaskView? ReadView(string taskId, RedisKey key, RedisResult result)
    {
        if (result.Resp2Type != ResultType.Array)
            return null;
        var parts = (RedisResult[])result!;
        var fields = (RedisValue[])parts[0]!;
        if (!TaskStatusNames.TryParse(fields[0], out var status) || fields[6].IsNull || fields[7].IsNull)
            throw RedisFaults.InvalidRecord(key);
        return new()
        {
            Id = taskId,
            Status = status,
            Message = (string?)fields[1] ?? "",
            Created = Time(2),
            Updated = Time(3),
            TimeToLive = Span(4),
            PollInterval = Span(5),
            User = fields[6]!,
            Owner = fields[7]!,
            Epoch = RedisSessionRecord.Number(key, fields[8]),
            Version = RedisSessionRecord.Number(key, fields[9]),
            Inputs = ReadInputs(RedisFields.Pairs(parts[1])),
            Outcome = (byte[]?)fields[10] ?? [],
            IsListened = fields[11] == 1,
        };

        DateTimeOffset Time(int at) => DateTimeOffset.FromUnixTimeMilliseconds(RedisSessionRecord.Number(key, fields[at]));

        TimeSpan Span(int at) => TimeSpan.FromMilliseconds(RedisSessionRecord.Number(key, fields[at]));
    }

    /// <summary>Reads the answer of a claim; <see langword="null"/>: it was refused.</summary>
    public static TaskSnapshot? ReadSnapshot(string taskId, RedisKey key, RedisResult result)
    {
        if (result.Resp2Type != ResultType.Array)
            return null;
        var parts = (RedisResult[])result!;
        if (ReadView(taskId, key, parts[0]) is not { } view)
            return null;
        var fields = (RedisValue[])parts[1]!;
        var task = new NewTask
        {
            Id = taskId,
            Owner = view.Owner,
            User = view.User,
            MayRunTwice = fields[0] == 1,
            Request = (byte[]?)fields[1] ?? [],
            Identity = (byte[]?)fields[2] ?? [],
            TraceParent = (string?)fields[3] ?? "",
            TimeToLive = TimeSpan.FromMilliseconds(RedisSessionRecord.Number(key, fields[4])),
            PollInterval = view.PollInterval,
        };
        return new(view, task, (int)RedisSessionRecord.Number(key, fields[5]), RedisFields.Table(RedisFields.Pairs(parts[2])));
    }

    public static long Milliseconds(TimeSpan time) => Math.Max(1, (long)time.TotalMilliseconds);

    private static List<TaskInput> ReadInputs(HashEntry[] fields)
    {
        var answers = new Dictionary<string, ReadOnlyMemory<byte>>(StringComparer.Ordinal);
        foreach (var field in fields)
        {
            var name = (string?)field.Name ?? "";
            if (name.StartsWith(Reply, StringComparison.Ordinal))
                answers[name[Reply.Length..]] = (byte[]?)field.Value ?? [];
        }

        List<TaskInput> inputs = [];
        foreach (var field in fields)
        {
            var name = (string?)field.Name ?? "";
            if (!name.StartsWith(Question, StringComparison.Ordinal))
                continue;
            var key = name[Question.Length..];
            inputs.Add(new(key, (byte[]?)field.Value ?? [], answers.TryGetValue(key, out var answer) ? answer : default(ReadOnlyMemory<byte>?)));
        }

        inputs.Sort(static (one, other) => string.CompareOrdinal(one.Key, other.Key));
        return inputs;
    }
}

using Mcp.HighAvailability.Diagnostics;
using Mcp.HighAvailability.Storage;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace Mcp.HighAvailability.Redis;

/// <summary>Keeps sessions in Redis: every write is one script under the fence. A method waits for one command.</summary>
internal sealed class RedisSessionStore(RedisConnection redis, IOptions<SessionStoreOptions> options, TimeProvider time, SessionMetrics? metrics = null)
    : ISessionStore
{
    // What the commit script answers to a position that was used before.
    private const long PositionTaken = -2;

    private readonly RedisSessionIndex _index = new(redis, time);

    public async ValueTask<bool> CreateAsync(SessionRecord record, CancellationToken cancellationToken = default)
    {
        var lifetime = Lifetime(options.Value, used: false);
        _index.Add(record.Id, lifetime);
        List<RedisValue> arguments = [lifetime, record.Owner, record.Epoch, record.Created.UtcTicks];
        RedisSessionRecord.Write(record, arguments);
        var result = await redis.EvaluateAsync(RedisSessionScripts.Create, redis.Keys.WholeSession(record.Id), [.. arguments], cancellationToken);
        return (long)result == 1;
    }

    public async ValueTask<SessionOwner?> FindAsync(string sessionId, CancellationToken cancellationToken = default)
    {
        var key = redis.Keys.Session(sessionId);
        var fields = await redis.RunAsync(static (database, key) => database.HashGetAsync(key, RedisSessionRecord.OwnerFields), key, cancellationToken);
        return RedisSessionRecord.ReadOwner(key, fields);
    }

    public async ValueTask<TakeOver> TakeOverAsync(string sessionId, long expectedEpoch, string newOwner, CancellationToken cancellationToken = default)
    {
        var keys = redis.Keys.WholeSession(sessionId);
        _index.Renew(sessionId, Lifetime(options.Value));
        var result = await redis.EvaluateAsync(RedisSessionScripts.TakeOver, keys, [expectedEpoch, newOwner, Lifetime(options.Value)], cancellationToken);

        var parts = (RedisResult[])result!;
        if ((long)parts[0] < 0)
            return new TakeOver.Unknown();

        if ((long)parts[0] == 0)
            return new TakeOver.Refused(RedisSessionRecord.ReadOwner(keys[0], (RedisValue[])parts[1]!) ?? throw RedisFaults.InvalidRecord(keys[0]));

        var record = RedisSessionRecord.Read(sessionId, keys[0], RedisFields.Pairs(parts[1]));
        var calls = RedisFields.Table(RedisFields.Pairs(parts[2]));
        return new TakeOver.Taken(new(record, calls, RedisJournalEntry.ReadAll(keys[1], parts[3]))
        {
            State = RedisFields.Table(RedisFields.Pairs(parts[4])),
        });
    }

    public async ValueTask<CommitResult> CommitAsync(string sessionId, SessionCommit commit, CancellationToken cancellationToken = default)
    {
        JournalPositions.ThrowIfNotAscending(commit.Append);
        if (commit.Touch)
            _index.Renew(sessionId, Lifetime(options.Value));
        var keys = commit.Touch || commit.Calls.Count > 0 || commit.State.Count > 0
            ? redis.Keys.WholeSession(sessionId)
            : [redis.Keys.Session(sessionId), redis.Keys.Journal(sessionId)];
        var arguments = RedisCommit.Arguments(commit, options.Value, time.GetUtcNow());
        var result = (long)await redis.EvaluateAsync(RedisSessionScripts.Commit, keys, arguments, cancellationToken);
        if (result == PositionTaken)
            throw JournalPositions.Taken(sessionId);
        if (result <= 0)
            return Outcome(result);
        metrics?.Trimmed((int)result - 1);
        return CommitResult.Committed;
    }

    public async ValueTask<IReadOnlyDictionary<string, ReadOnlyMemory<byte>>> ReadStateAsync(string sessionId, CancellationToken cancellationToken = default) =>
        RedisFields.Table(await redis.RunAsync(static (database, key) => database.HashGetAllAsync(key), redis.Keys.State(sessionId), cancellationToken));

    public async ValueTask<CommitResult> ReleaseAsync(string sessionId, long epoch, CancellationToken cancellationToken = default) =>
        Outcome(await redis.EvaluateAsync(RedisSessionScripts.Release, [redis.Keys.Session(sessionId)], [epoch], cancellationToken));

    public async ValueTask<CommitResult> EndAsync(string sessionId, long epoch, CancellationToken cancellationToken = default)
    {
        var result = Outcome(await redis.EvaluateAsync(
            RedisSessionScripts.End,
            redis.Keys.WholeSession(sessionId),
            [epoch, Milliseconds(options.Value.EndedRetention)],
            cancellationToken));
        if (result == CommitResult.Committed)
            _index.Remove(sessionId);
        return result;
    }

    public async ValueTask<CommitResult> WriteBackAsync(
        SessionSnapshot snapshot,
        IReadOnlyDictionary<string, ReadOnlyMemory<byte>> state,
        CancellationToken cancellationToken = default)
    {
        JournalPositions.ThrowIfNotAscending(snapshot.Journal);
        var record = snapshot.Record;
        _index.Add(record.Id, Lifetime(options.Value));
        var fields = new List<RedisValue>();
        RedisSessionRecord.Write(record, fields);

        List<RedisValue> arguments =
        [
            record.Epoch, record.Owner, record.LastCommit, Lifetime(options.Value),
            fields.Count / 2, snapshot.Calls.Count, state.Count,
            .. fields,
        ];
        foreach (var (key, value) in snapshot.Calls.Concat(state))
        {
            arguments.Add(key);
            arguments.Add(RedisFields.Value(value));
        }

        foreach (var entry in JournalTrimming.Kept(snapshot.Journal, options.Value, snapshot.Unread))
            arguments.Add(RedisJournalEntry.Write(entry));

        return Outcome(await redis.EvaluateAsync(RedisSessionScripts.WriteBack, redis.Keys.WholeSession(record.Id), [.. arguments], cancellationToken));
    }

    /// <summary>Milliseconds that the keys of a session live: twice the idle time, see <see cref="SessionStoreOptions.IdleTimeout"/>.</summary>
    public static long Lifetime(SessionStoreOptions options, bool used = true) => Milliseconds(2 * options.IdleTimeoutOf(used));

    private static long Milliseconds(TimeSpan time) => Math.Max(1, (long)time.TotalMilliseconds);

    private static CommitResult Outcome(RedisResult result) => Outcome((long)result);

    private static CommitResult Outcome(long result) => result switch
    {
        1 => CommitResult.Committed,
        0 => CommitResult.Fenced,
        _ => CommitResult.Lost,
    };
}

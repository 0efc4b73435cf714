using Mcp.HighAvailability.Protocol;
using Mcp.HighAvailability.Storage;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace Mcp.HighAvailability.Redis;

/// <summary>The log in three keys of one hash slot. Its time is that of Redis; incarnations are named by the clock of the replica that begins them.</summary>
internal sealed partial class RedisBroadcastLog(
    RedisConnection redis, IOptions<BroadcastOptions> options, TimeProvider time, ILogger<RedisBroadcastLog> logger) : IBroadcastLog
{
    private long _newestIncarnation;

    public async ValueTask<BroadcastEntry?> AppendAsync(BroadcastPublication publication, BroadcastPosition known,
        CancellationToken cancellationToken = default)
    {
        var bounds = options.Value;
        publication.Validate(bounds);
        var answer = (RedisValue[])(await redis.EvaluateAsync(
            RedisBroadcastScripts.Append,
            redis.Keys.WholeBroadcastLog,
            [
                redis.Keys.Topic(IBroadcastLog.Topic).ToString(), NextIncarnation(known), Incarnation(known), known.Number, publication.Kind, publication.Id,
                RedisFields.Value(publication.Payload), bounds.MaxEntries, bounds.MaxBytes, (long)bounds.MaxAge.TotalMilliseconds,
            ],
            cancellationToken))!;
        if (answer.Length == 0)
            return null;
        if (!BroadcastEntry.TryRead((byte[])answer[0]!, out var entry))
            throw RedisFaults.InvalidRecord(redis.Keys.Broadcasts);
        Note(entry.Position);
        return entry;
    }

    public async ValueTask<BroadcastPage> ReadAsync(BroadcastPosition known, CancellationToken cancellationToken = default)
    {
        var answer = (RedisValue[])(await redis.EvaluateAsync(
            RedisBroadcastScripts.Read, redis.Keys.WholeBroadcastLog, [Incarnation(known), known.Number, NextIncarnation(known)], cancellationToken))!;
        if (!BroadcastPosition.TryParse((string)answer[0]!, out var head))
            throw RedisFaults.InvalidRecord(redis.Keys.Broadcasts);
        Note(head);
        var entries = new List<BroadcastEntry>(answer.Length - 1);
        foreach (var bytes in answer.AsSpan(1))
        {
            if (BroadcastEntry.TryRead((byte[])bytes!, out var entry))
                entries.Add(entry);
            else
                LogUnreadable();
        }

        return new(head, entries);
    }

    private string NextIncarnation(BroadcastPosition known)
    {
        var newest = new BroadcastPosition(Math.Max(known.Incarnation, Volatile.Read(ref _newestIncarnation)), 0);
        return Incarnation(new(newest.NextIncarnation(time.GetUtcNow()), 0));
    }

    // Incarnations ascend also where the log is lost twice within a millisecond.
    private void Note(BroadcastPosition position)
    {
        var newest = Volatile.Read(ref _newestIncarnation);
        while (position.Incarnation > newest)
        {
            var seen = Interlocked.CompareExchange(ref _newestIncarnation, position.Incarnation, newest);
            if (seen == newest)
                return;
            newest = seen;
        }
    }

    private static string Incarnation(BroadcastPosition position) => position.Incarnation.ToString("x", System.Globalization.CultureInfo.InvariantCulture);

    [LoggerMessage(
        Level = LogLevel.Warning,
        Message = "An entry of the broadcast log cannot be read and is skipped. Check that all replicas run one version, and that no other program writes" +
            " the key.")]
    private partial void LogUnreadable();
}

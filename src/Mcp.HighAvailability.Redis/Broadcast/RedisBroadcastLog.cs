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
        return BroadcastEntry.TryRead((byte[])answer[0]!, out var entry) ? entry : throw RedisFaults.InvalidRecord(redis.Keys.Broadcasts);
    }

    public async ValueTask<BroadcastPage> ReadAsync(BroadcastPosition known, CancellationToken cancellationToken = default)
    {
        var answer = (RedisValue[])(await redis.EvaluateAsync(
            RedisBroadcastScripts.Read, redis.Keys.WholeBroadcastLog, [Incarnation(known), known.Number, NextIncarnation(known)], cancellationToken))!;
        if (!BroadcastPosition.TryParse((string)answer[0]!, out var head))
            throw RedisFaults.InvalidRecord(redis.Keys.Broadcasts);
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

    private string NextIncarnation(BroadcastPosition known) => Incarnation(new(known.NextIncarnation(time.GetUtcNow()), 0));

    private static string Incarnation(BroadcastPosition position) => position.Incarnation.ToString("x", System.Globalization.CultureInfo.InvariantCulture);

    [LoggerMessage(
        Level = LogLevel.Warning,
        Message = "An entry of the broadcast log cannot be read and is skipped. Check that all replicas run one version, and that no other program writes" +
            " the key.")]
    private partial void LogUnreadable();
}

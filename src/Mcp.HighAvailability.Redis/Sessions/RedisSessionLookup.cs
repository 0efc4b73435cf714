using Mcp.HighAvailability.Storage;
using StackExchange.Redis;

namespace Mcp.HighAvailability.Redis;

/// <summary>Reads a few fields of the session hash, by name.</summary>
internal sealed class RedisSessionLookup(RedisConnection redis) : ISessionLookup
{
    private static readonly RedisValue[] Fields =
    [
        RedisFields.Ended, RedisFields.Owner, RedisFields.Epoch, RedisFields.Version, RedisFields.Trace, RedisFields.Created, RedisFields.Hops,
    ];

    public async ValueTask<SessionTrail?> FindAsync(string sessionId, CancellationToken cancellationToken = default)
    {
        var key = redis.Keys.Session(sessionId);
        var values = await redis.RunAsync(static (database, key) => database.HashGetAsync(key, Fields), key, cancellationToken);
        if (!values[0].IsNull)
            return new() { Ended = true, Epoch = RedisSessionRecord.Number(key, values[0]) };
        if (values.All(value => value.IsNull))
            return null;

        var created = RedisSessionRecord.Number(key, values[5]);
        if (created <= 0 || created > DateTimeOffset.MaxValue.UtcTicks)
            throw RedisFaults.InvalidRecord(key);
        return new()
        {
            Owner = (string?)values[1] ?? "",
            Epoch = RedisSessionRecord.Number(key, values[2]),
            ProtocolVersion = (string?)values[3] ?? "",
            TraceParent = (string?)values[4] ?? "",
            Created = new(created, TimeSpan.Zero),
            Hops = RedisHops.Read(values[6]),
        };
    }
}

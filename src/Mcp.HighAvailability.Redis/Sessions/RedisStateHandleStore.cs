using Mcp.HighAvailability.Storage;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace Mcp.HighAvailability.Redis;

/// <summary>Keeps handle state in Redis; every method is one script.</summary>
internal sealed class RedisStateHandleStore(RedisConnection redis, IOptions<StateHandleOptions> options) : IStateHandleStore
{
    private long Lifetime => Math.Max(1, (long)options.Value.Expiry.TotalMilliseconds);

    public async ValueTask CreateAsync(string handle, string user, CancellationToken cancellationToken = default) =>
        await redis.EvaluateAsync(RedisScripts.CreateHandle, [redis.Keys.Handle(handle)], [user, Lifetime], cancellationToken);

    public async ValueTask<StateHandleSnapshot?> ReadAsync(string handle, CancellationToken cancellationToken = default)
    {
        var key = redis.Keys.Handle(handle);
        var result = await redis.EvaluateAsync(RedisScripts.ReadHandle, [key, redis.Keys.Applied(handle)], [Lifetime], cancellationToken);
        var fields = RedisFields.Pairs(result);
        if (fields.Length == 0)
            return null;

        string? user = null;
        var version = -1L;
        var values = new Dictionary<string, ReadOnlyMemory<byte>>(fields.Length);
        foreach (var field in fields)
        {
            var name = (string?)field.Name ?? "";
            if (name.StartsWith(RedisFields.HandleValue, StringComparison.Ordinal))
                values[name[RedisFields.HandleValue.Length..]] = (byte[]?)field.Value ?? [];
            else if (name == RedisFields.HandleUser)
                user = field.Value;
            else if (name == RedisFields.HandleVersion)
                version = RedisSessionRecord.Number(key, field.Value);
        }

        return user is null || version < 0 ? throw RedisFaults.InvalidRecord(key) : new(user, version, values);
    }

    public async ValueTask<StateHandleCommit> CommitAsync(
        string handle,
        long expectedVersion,
        IReadOnlyList<KeyValuePair<string, ReadOnlyMemory<byte>?>> writes,
        string call,
        ReadOnlyMemory<byte> response,
        CancellationToken cancellationToken = default)
    {
        const int Fixed = 6;
        var arguments = new RedisValue[Fixed + RedisChanges.Length(writes)];
        arguments[0] = expectedVersion;
        arguments[1] = call;
        arguments[2] = RedisFields.Value(response);
        arguments[3] = Math.Max(1, options.Value.RememberedCalls);
        arguments[4] = Lifetime;
        arguments[5] = writes.Count;
        RedisChanges.Write(writes, arguments, Fixed);

        var result = (RedisResult[])(await redis.EvaluateAsync(
            RedisScripts.CommitHandle,
            [redis.Keys.Handle(handle), redis.Keys.Applied(handle)],
            arguments,
            cancellationToken))!;
        return (long)result[0] switch
        {
            1 => new StateHandleCommit.Committed(),
            0 => new StateHandleCommit.Conflict(),
            2 => new StateHandleCommit.AlreadyApplied((byte[]?)result[1] ?? []),
            _ => new StateHandleCommit.Unknown(),
        };
    }
}

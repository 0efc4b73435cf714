using McpHa.HighAvailability.Stateless;
using StackExchange.Redis;

namespace McpHa.HighAvailability.Redis;

/// <summary>Keeps the cluster's secret keys in one hash.</summary>
internal sealed class RedisKeyStore(RedisConnection redis) : IKeyStore
{
    public async ValueTask<IReadOnlyDictionary<string, ReadOnlyMemory<byte>>> ShareAsync(
        IReadOnlyDictionary<string, ReadOnlyMemory<byte>> own, CancellationToken cancellationToken = default)
    {
        var arguments = own.SelectMany(key => new RedisValue[] { key.Key, key.Value.ToArray() }).ToArray();
        var all = await redis.EvaluateAsync(RedisScripts.ShareKeys, [redis.Keys.Secrets], arguments, cancellationToken);
        return RedisFields.Pairs(all).ToDictionary(
            static field => (string)field.Name!, static field => (ReadOnlyMemory<byte>)((byte[]?)field.Value ?? []), StringComparer.Ordinal);
    }
}

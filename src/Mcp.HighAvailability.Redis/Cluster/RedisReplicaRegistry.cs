using System.Text.Json;
using Mcp.HighAvailability.Storage;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace Mcp.HighAvailability.Redis;

/// <summary>Keeps the replicas in one hash; the clock is that of Redis.</summary>
internal sealed partial class RedisReplicaRegistry(RedisConnection redis, ILogger<RedisReplicaRegistry> logger) : IReplicaRegistry
{
    // The connection over which the server was last asked for its run id.
    private string _asked = "";

    public async ValueTask<RegistryReading> BeatAsync(ReplicaInfo? self, CancellationToken cancellationToken = default)
    {
        RedisValue json = self is null ? "" : JsonSerializer.SerializeToUtf8Bytes(self, ReplicaJson.Default.ReplicaInfo);
        var servers = redis.Servers;
        var ask = servers != _asked;
        var result = await RunAsync(ask);

        // A new connection may have carried the heartbeat already: only an answer of the new server names the incarnation.
        if (!ask && redis.Servers != servers)
            result = await RunAsync(ask: true);
        _asked = servers;

        var alive = (RedisValue[])result!;
        var replicas = new List<RegisteredReplica>(alive.Length / 3);
        for (var i = 2; i < alive.Length; i += 3)
        {
            if (Parse(alive[i], alive[i + 2]) is { } replica)
                replicas.Add(new(replica, TimeSpan.FromMilliseconds((long)alive[i + 1])));
        }

        return new(replicas) { Incarnation = (string)alive[0]!, IncarnationAge = TimeSpan.FromMilliseconds((long)alive[1]) };

        ValueTask<RedisResult> RunAsync(bool ask) => redis.EvaluateAsync(
            RedisScripts.Beat,
            [redis.Keys.Replicas],
            [self?.Id ?? "", json, (long)ReplicaSilence.RemovedAfter.TotalMilliseconds, ask ? 1 : 0],
            cancellationToken);
    }

    public async ValueTask LeaveAsync(string replicaId, CancellationToken cancellationToken = default) =>
        await redis.RunAsync((database, key) => database.HashDeleteAsync(key, replicaId), redis.Keys.Replicas, cancellationToken);

    /// <summary>One entry that cannot be read, from a newer version perhaps, must not hide all other replicas.</summary>
    private ReplicaInfo? Parse(RedisValue id, RedisValue json)
    {
        try
        {
            var replica = JsonSerializer.Deserialize((byte[])json!, ReplicaJson.Default.ReplicaInfo);
            if (replica is { Address: not null } && replica.Id == id)
                return replica;
            Unreadable(id!, null);
        }
        catch (JsonException e)
        {
            Unreadable(id!, e);
        }

        return null;
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Heartbeat of replica {ReplicaId} ignored: it cannot be read. Check that all replicas run one version.")]
    private partial void Unreadable(string replicaId, Exception? exception);
}

using System.Text.Json;
using Mcp.HighAvailability.Redis;
using StackExchange.Redis;

namespace Mcp.HighAvailability.Lab.Chaos.Cluster;

/// <summary>State of the cluster in Redis: registered replicas and owners of sessions. Read past all links, and never written.</summary>
/// <remarks>A Redis that is away is no error here, only nothing to read; the next reading connects anew.</remarks>
internal sealed class ClusterState(int port) : IAsyncDisposable
{
    /// <summary>The name that servers and balancers are given.</summary>
    public const string Application = "lab";

    private const string Prefix = $"mcp-ha:{Application}:";
    private const string SessionKeys = Prefix + "{*}:session";
    private static readonly TimeSpan Fresh = TimeSpan.FromSeconds(2.5);
    private static readonly TimeSpan ReadTimeout = TimeSpan.FromSeconds(3);

    private readonly SemaphoreSlim _connecting = new(1);
    private readonly RedisKeys _keys = new(Prefix);
    private ConnectionMultiplexer? _redis;

    /// <summary>Ids of the replicas that are registered, not overdue and not about to leave; <see langword="null"/> when Redis is away.</summary>
    public Task<IReadOnlySet<string>?> RegisteredAsync(CancellationToken cancellationToken) => ReadAsync(
        async redis =>
        {
            var now = new DateTimeOffset(await Server(redis).TimeAsync(), TimeSpan.Zero).ToUnixTimeMilliseconds();
            var beats = await redis.GetDatabase().HashGetAllAsync(_keys.Replicas);
            return (IReadOnlySet<string>)beats.Where(beat => IsServing(beat.Value, now)).Select(beat => (string)beat.Name!).ToHashSet();
        },
        cancellationToken);

    /// <summary>The owner of each session, by session; <see langword="null"/> when Redis is away.</summary>
    public Task<IReadOnlyDictionary<string, string>?> OwnersAsync(CancellationToken cancellationToken) => ReadAsync(
        async redis =>
        {
            var database = redis.GetDatabase();
            var keys = Server(redis).Keys(pattern: SessionKeys, pageSize: 1_000).ToList();
            var owners = await Task.WhenAll(keys.Select(key => database.HashGetAsync(key, RedisFields.Owner)));

            // Of an ended session there is no owner.
            return (IReadOnlyDictionary<string, string>)keys.Zip(owners).Where(session => !session.Second.IsNull)
                .ToDictionary(session => SessionOf(session.First), session => (string)session.Second!);
        },
        cancellationToken);

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        _redis?.Dispose();
        return ValueTask.CompletedTask;
    }

    private static string SessionOf(RedisKey key)
    {
        var text = (string)key!;
        return text[(text.IndexOf('{', StringComparison.Ordinal) + 1)..text.IndexOf('}', StringComparison.Ordinal)];
    }

    // The value: Unix ms of the beat, a space, what the replica says of itself.
    private static bool IsServing(RedisValue beat, long now)
    {
        var text = (string?)beat ?? "";
        var space = text.IndexOf(' ', StringComparison.Ordinal);
        return space > 0 && long.TryParse(text[..space], out var at) && now - at < Fresh.TotalMilliseconds
            && JsonSerializer.Deserialize(text[(space + 1)..], ReplicaJson.Default.ReplicaInfo) is { Draining: false };
    }

    private IServer Server(ConnectionMultiplexer redis) => redis.GetServer("127.0.0.1", port);

    private async Task<T?> ReadAsync<T>(Func<ConnectionMultiplexer, Task<T>> read, CancellationToken cancellationToken) where T : class
    {
        await _connecting.WaitAsync(cancellationToken);
        try
        {
            _redis ??= await ConnectionMultiplexer.ConnectAsync($"127.0.0.1:{port},abortConnect=true,connectRetry=0,connectTimeout=2000");
            return await read(_redis).WaitAsync(ReadTimeout, cancellationToken);
        }
        catch (Exception e) when (e is RedisException or TimeoutException)
        {
            // Not reused: how fast a connection comes back by itself depends on the client's version.
            _redis?.Dispose();
            _redis = null;
            return null;
        }
        finally
        {
            _connecting.Release();
        }
    }
}

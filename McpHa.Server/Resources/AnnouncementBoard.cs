using System.Text.Json;
using Mcp.HighAvailability;
using ModelContextProtocol.Protocol;
using StackExchange.Redis;

namespace McpHa.Server.Resources;

/// <summary>The last announcement, shared by all replicas: in Redis where there is one, else in this process.</summary>
public sealed class AnnouncementBoard(IClusterNotifier notifier, IConnectionMultiplexer? redis = null)
{
    /// <summary>The resource that shows it.</summary>
    public const string Uri = "announcements://board/latest";

    private static readonly TimeSpan RedisTimeout = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(100);
    private const string Key = "sample:announcement";

    // Without Redis there is one replica.
    private volatile string? _latest;

    /// <summary>Keeps the text and tells every session of the cluster, subscribers of the resource apart.</summary>
    public async Task PublishAsync(string text, CancellationToken cancellationToken)
    {
        if (redis is null)
            _latest = text;
        else
            await WaitForRedisAsync(async database => await database.StringSetAsync(Key, text), redis, cancellationToken);

        await notifier.LogAsync(LoggingLevel.Info, "announcements", JsonSerializer.SerializeToElement(text), cancellationToken);
        await notifier.ResourceUpdatedAsync(Uri, cancellationToken);
    }

    /// <summary>The last text, if any.</summary>
    public async Task<string?> ReadAsync(CancellationToken cancellationToken) => redis is null
        ? _latest
        : await WaitForRedisAsync(async database => (string?)await database.StringGetAsync(Key), redis, cancellationToken);

    // The session continues while Redis is away, and so must this board: both steps may be repeated.
    private static async Task<T> WaitForRedisAsync<T>(Func<IDatabase, Task<T>> step, IConnectionMultiplexer redis, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(RedisTimeout);
        while (true)
        {
            try
            {
                return await step(redis.GetDatabase());
            }
            catch (Exception e) when (e is RedisException or TimeoutException or InvalidOperationException or OperationCanceledException
                && !limit.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
            {
                await Task.Delay(Pause, cancellationToken);
            }
        }
    }
}

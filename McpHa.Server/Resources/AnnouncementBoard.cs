using System.Text.Json;
using McpHa.HighAvailability;
using ModelContextProtocol.Protocol;
using StackExchange.Redis;

namespace McpHa.Server.Resources;

/// <summary>The last announcement, shared by all replicas: in Redis where there is one, else in this process.</summary>
public sealed class AnnouncementBoard(IClusterNotifier notifier, IConnectionMultiplexer? redis = null)
{
    /// <summary>The resource that shows it.</summary>
    public const string Uri = "announcements://board/latest";

    private const string Key = "sample:announcement";

    // Static: Lab may run several replicas within one process.
    private static volatile string? _latest;

    /// <summary>Keeps the text and tells every session of the cluster, subscribers of the resource apart.</summary>
    public async Task PublishAsync(string text, CancellationToken cancellationToken)
    {
        if (redis is null)
            _latest = text;
        else
            await redis.GetDatabase().StringSetAsync(Key, text);

        await notifier.LogAsync(LoggingLevel.Info, "announcements", JsonSerializer.SerializeToElement(text), cancellationToken);
        await notifier.ResourceUpdatedAsync(Uri, cancellationToken);
    }

    /// <summary>The last text, if any.</summary>
    public async Task<string?> ReadAsync() => redis is null ? _latest : await redis.GetDatabase().StringGetAsync(Key);
}

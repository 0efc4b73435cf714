namespace McpHa.HighAvailability.Redis;

/// <summary>How the cluster uses Redis. The connection itself is the <c>IConnectionMultiplexer</c> of the application.</summary>
public sealed class RedisHighAvailabilityOptions
{
    /// <summary>Put before every key and channel. Give each cluster that shares a Redis its own. No braces. Default: <c>mcp-ha:</c>.</summary>
    public string KeyPrefix { get; set; } = "mcp-ha:";

    /// <summary>Redis counts as away when it has not answered a command for this long. Default: 5 seconds.</summary>
    public TimeSpan CommandTimeout { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>How long the start of the application waits for Redis before it fails. Default: 10 seconds.</summary>
    public TimeSpan StartTimeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>Name of the connection string, for messages. Default: <c>redis</c>.</summary>
    public string ConnectionName { get; set; } = "redis";
}

namespace Mcp.HighAvailability.Redis;

/// <summary>
/// How the cluster uses Redis. Bound from the configuration section <c>HighAvailability:Redis</c>, in servers and balancers. The connection itself is the
/// <c>IConnectionMultiplexer</c> of the application, or what <c>UseRedis</c> was given.
/// </summary>
public sealed class RedisHighAvailabilityOptions
{
    /// <summary>Name of the configuration section.</summary>
    public const string SectionName = HighAvailabilityOptions.SectionName + ":Redis";

    /// <summary>
    /// Put before every key and channel, the same in servers and balancers. Each application that shares a Redis needs its own. No braces. Default:
    /// <c>mcp-ha:APPLICATION:</c>, with <see cref="HighAvailabilityOptions.Application"/>.
    /// </summary>
    public string? KeyPrefix { get; set; }

    /// <summary>Redis counts as away when it has not answered a command for this long. Default: 5 seconds.</summary>
    public TimeSpan CommandTimeout { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>How long the start of the application waits for Redis before it fails. Default: 30 seconds.</summary>
    public TimeSpan StartTimeout { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// Name of the connection string, for messages, and the key of the connection, if one with that key is registered. Default: <c>redis</c>.
    /// </summary>
    public string ConnectionName { get; set; } = "redis";
}

using StackExchange.Redis;

namespace Mcp.HighAvailability.Redis;

/// <summary>Where the connection comes from, if the application has said so.</summary>
/// <param name="Connect">Gets or makes it. Called once.</param>
internal sealed record RedisConnectionSource(Func<IServiceProvider, IConnectionMultiplexer> Connect) : IDisposable
{
    /// <summary>A connection that was made for the library, and ends with the application.</summary>
    public IConnectionMultiplexer? Own { get; private set; }

    /// <summary>A connection of the library's own.</summary>
    public static RedisConnectionSource To(string connectionString)
    {
        var redis = ConfigurationOptions.Parse(connectionString);
        redis.AbortOnConnectFail = false;
        RedisConnectionSource? source = null;
        return source = new(_ => source!.Own = ConnectionMultiplexer.Connect(redis));
    }

    public void Dispose() => Own?.Dispose();
}

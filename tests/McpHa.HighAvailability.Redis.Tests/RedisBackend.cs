using Mcp.HighAvailability.Diagnostics;
using Mcp.HighAvailability.Redis;
using Mcp.HighAvailability.Storage;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace McpHa.Tests;

/// <summary>One server for all contract tests, and the seams on it.</summary>
public class RedisBackend : IAsyncLifetime
{
    private readonly Lazy<RedisClient> _client;

    public RedisBackend() : this(new RedisServer())
    {
    }

    protected RedisBackend(RedisServer server)
    {
        Server = server;
        _client = new(() => new RedisClient(Server.ConnectionString));
    }

    public RedisServer Server { get; }

    public IConnectionMultiplexer Client => _client.Value.Multiplexer;

    public IDatabase Database => Client.GetDatabase();

    internal static RedisKeys Keys { get; } = new("mcp-ha:");

    public ValueTask InitializeAsync() => Server.InitializeAsync();

    public async ValueTask DisposeAsync()
    {
        if (_client.IsValueCreated)
            _client.Value.Dispose();
        await Server.DisposeAsync();
    }

    public virtual async Task WipeAsync() => await Database.ExecuteAsync("FLUSHALL");

    internal RedisConnection Connection(RedisHighAvailabilityOptions? options = null) => Connection(Client, options);

    internal static RedisConnection Connection(IConnectionMultiplexer client, RedisHighAvailabilityOptions? options = null) =>
        new(new ServiceCollection().AddSingleton(client).BuildServiceProvider(), Options.Create(WithPrefix(options ?? new())));

    internal RedisSessionStore Store(SessionStoreOptions? options = null, SessionMetrics? metrics = null)
    {
        Server.SkipIfUnavailable();
        return new(Connection(), Options.Create(options ?? new()), TimeProvider.System, metrics);
    }

    private static RedisHighAvailabilityOptions WithPrefix(RedisHighAvailabilityOptions options)
    {
        options.KeyPrefix ??= "mcp-ha:";
        return options;
    }

    internal RedisEventBus Bus(IConnectionMultiplexer? client = null) => new(Connection(client ?? Client), NullLogger<RedisEventBus>.Instance);
}

/// <summary>The same on Garnet.</summary>
public sealed class GarnetBackend() : RedisBackend(new GarnetServer());

/// <summary>The same on a Redis Cluster of three nodes.</summary>
public sealed class RedisClusterBackend() : RedisBackend(new RedisCluster())
{
    public override Task WipeAsync() => ((RedisCluster)Server).WipeAsync();
}

[CollectionDefinition(Name)]
public sealed class RedisClusterCollection : ICollectionFixture<RedisClusterBackend>
{
    public const string Name = "redis-cluster";
}

[CollectionDefinition(Name)]
public sealed class GarnetCollection : ICollectionFixture<GarnetBackend>
{
    public const string Name = "garnet";
}

[CollectionDefinition(Name)]
public sealed class RedisCollection : ICollectionFixture<RedisBackend>
{
    public const string Name = "redis";
}

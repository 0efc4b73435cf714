using McpHa.HighAvailability.Diagnostics;
using McpHa.HighAvailability.Redis;
using McpHa.HighAvailability.Sessions;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace McpHa.Tests;

/// <summary>One redis-server for all contract tests, and the seams on it.</summary>
public sealed class RedisBackend : IAsyncLifetime
{
    private readonly Lazy<RedisClient> _client;

    public RedisBackend() => _client = new(() => new RedisClient(Server.ConnectionString));

    public RedisServer Server { get; } = new();

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

    public async Task WipeAsync() => await Database.ExecuteAsync("FLUSHALL");

    internal RedisConnection Connection(RedisHighAvailabilityOptions? options = null) => Connection(Client, options);

    internal static RedisConnection Connection(IConnectionMultiplexer client, RedisHighAvailabilityOptions? options = null) =>
        new(new ServiceCollection().AddSingleton(client).BuildServiceProvider(), Options.Create(options ?? new()));

    internal RedisSessionStore Store(SessionStoreOptions? options = null, SessionMetrics? metrics = null)
    {
        RedisServer.SkipIfMissing();
        return new(Connection(), Options.Create(options ?? new()), TimeProvider.System, metrics);
    }

    internal RedisEventBus Bus(IConnectionMultiplexer? client = null) => new(Connection(client ?? Client), NullLogger<RedisEventBus>.Instance);
}

[CollectionDefinition(Name)]
public sealed class RedisCollection : ICollectionFixture<RedisBackend>
{
    public const string Name = "redis";
}

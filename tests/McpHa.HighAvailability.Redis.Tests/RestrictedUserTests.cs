using Mcp.HighAvailability.Diagnostics;
using Mcp.HighAvailability.Redis;
using Mcp.HighAvailability.Storage;
using Mcp.HighAvailability.Tasks;
using Microsoft.AspNetCore.DataProtection.Repositories;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace McpHa.Tests;

/// <summary>A redis-server that lets the library do what docs/security.md says that it needs, and nothing else.</summary>
public sealed class RestrictedRedis : IAsyncLifetime
{
    private RedisClient? _client;
    private RedisClient? _administrator;

    private RedisServer Server { get; } = new(["--user", "mcp", "on", ">secret", .. Rules]);

    /// <summary>What the user may do, as documented.</summary>
    public static string[] Rules =>
    [
        "~mcp-ha:*", "&mcp-ha:topic:*", "-@all",
        "+eval", "+evalsha", "+script|load", "+exists", "+del", "+hset", "+hget", "+hmget", "+hgetall", "+hdel", "+hexists", "+hsetnx", "+rpush", "+lpush", "+lrange", "+ltrim", "+llen", "+lindex", "+lset", "+lrem", "+lpop",
        "+get", "+set", "+hincrby", "+hkeys", "+zadd", "+zcard", "+zrem", "+zscore", "+zrangebyscore", "+pexpire", "+pttl", "+time", "+type",
        "+publish", "+subscribe", "+unsubscribe", "+ping", "+echo", "+info", "+hello", "+client", "+cluster|nodes", "+config|get",
    ];

    internal RedisConnection Connection()
    {
        RedisServer.SkipIfMissing();
        return RedisBackend.Connection(Client);
    }

    private IConnectionMultiplexer Client => (_client ??= Connect()).Multiplexer;

    private RedisClient Connect() => new($"{Server.Address},user=mcp,password=secret,abortConnect=false,allowAdmin=true,tieBreaker=,configChannel=");

    public ValueTask InitializeAsync() => Server.InitializeAsync();

    public async ValueTask DisposeAsync()
    {
        _client?.Dispose();
        _administrator?.Dispose();
        await Server.DisposeAsync();
    }

    internal async Task WipeAsync() => await Administrator.ExecuteAsync("FLUSHALL");

    internal RedisSessionStore Store(SessionStoreOptions? options = null, SessionMetrics? metrics = null) =>
        new(Connection(), Options.Create(options ?? new()), TimeProvider.System, metrics);

    internal RedisEventBus Bus(List<RedisClient> clients)
    {
        RedisServer.SkipIfMissing();
        clients.Add(Connect());
        return new(RedisBackend.Connection(clients[^1].Multiplexer), NullLogger<RedisEventBus>.Instance);
    }

    internal IDatabase Administrator => (_administrator ??= new RedisClient(Server.ConnectionString)).Database;

    internal async Task<string> RefusalAsync(string command, params object[] arguments)
    {
        RedisServer.SkipIfMissing();
        return (await Assert.ThrowsAsync<RedisServerException>(() => Client.GetDatabase().ExecuteAsync(command, arguments))).Message;
    }
}

/// <summary>The contracts, by a user with the least rights.</summary>
public sealed class RestrictedSessionStoreTests(RestrictedRedis redis) : SessionStoreContract, IClassFixture<RestrictedRedis>
{
    protected override ISessionStore Store(SessionStoreOptions? options = null) => redis.Store(options);
}

/// <inheritdoc cref="RestrictedSessionStoreTests"/>
public sealed class RestrictedSessionCommitTests(RestrictedRedis redis) : SessionCommitContract, IClassFixture<RestrictedRedis>
{
    protected override ISessionStore Store() => redis.Store();
}

/// <inheritdoc cref="RestrictedSessionStoreTests"/>
public sealed class RestrictedWriteBackTests(RestrictedRedis redis) : SessionWriteBackContract, IClassFixture<RestrictedRedis>
{
    protected override ISessionStore Store() => redis.Store();

    protected override Task WipeAsync() => redis.WipeAsync();
}

/// <inheritdoc cref="RestrictedSessionStoreTests"/>
public sealed class RestrictedSessionLookupTests(RestrictedRedis redis) : SessionLookupContract, IClassFixture<RestrictedRedis>
{
    protected override (ISessionStore Store, ISessionLookup Lookup) Backend() => (redis.Store(), new RedisSessionLookup(redis.Connection()));
}

/// <inheritdoc cref="RestrictedSessionStoreTests"/>
public sealed class RestrictedStoreFiguresTests(RestrictedRedis redis) : StoreFiguresContract, IClassFixture<RestrictedRedis>
{
    protected override (ISessionStore Store, IStoreFigures Figures) Backend(SessionStoreOptions? options = null) =>
        (redis.Store(options), new RedisStoreFigures(redis.Connection()));
}

/// <inheritdoc cref="RestrictedSessionStoreTests"/>
public sealed class RestrictedJournalTests(RestrictedRedis redis) : JournalContract, IClassFixture<RestrictedRedis>
{
    protected override (ISessionStore Store, ISessionJournal Journal) Backend(SessionStoreOptions? options = null) =>
        (redis.Store(options, Metrics), new RedisSessionJournal(redis.Connection()));
}

/// <inheritdoc cref="RestrictedSessionStoreTests"/>
public sealed class RestrictedStateHandleTests(RestrictedRedis redis) : StateHandleStoreContract, IClassFixture<RestrictedRedis>
{
    protected override IStateHandleStore Store(StateHandleOptions? options = null) => new RedisStateHandleStore(redis.Connection(), Options.Create(options ?? new()));
}

/// <inheritdoc cref="RestrictedSessionStoreTests"/>
public sealed class RestrictedTaskStoreTests(RestrictedRedis redis) : TaskStoreContract, IClassFixture<RestrictedRedis>
{
    protected override ITaskStore Store() => new RedisTaskStore(redis.Connection());
}

/// <inheritdoc cref="RestrictedSessionStoreTests"/>
public sealed class RestrictedEventBusTests(RestrictedRedis redis) : EventBusContract, IClassFixture<RestrictedRedis>, IDisposable
{
    private readonly List<RedisClient> _clients = [];

    public void Dispose() => _clients.ForEach(client => client.Dispose());

    protected override (IEventBus One, IEventBus Other) Members() => (redis.Bus(_clients), redis.Bus(_clients));
}

/// <inheritdoc cref="RestrictedSessionStoreTests"/>
public sealed class RestrictedBroadcastLogTests(RestrictedRedis redis) : BroadcastLogContract, IClassFixture<RestrictedRedis>, IDisposable
{
    private readonly List<RedisClient> _clients = [];

    public void Dispose() => _clients.ForEach(client => client.Dispose());

    protected override async Task<(IBroadcastLog Log, IEventBus Bus)> EmptyAsync(BroadcastOptions? options = null)
    {
        var connection = redis.Connection();
        await WipeAsync();
        RedisBroadcastLog log = new(connection, Options.Create(options ?? new()), TimeProvider.System, NullLogger<RedisBroadcastLog>.Instance);
        return (log, redis.Bus(_clients));
    }

    protected override Task WipeAsync() => redis.WipeAsync();

    protected override Task LoseNewestAsync() => RedisBroadcastLogTests.LoseNewestAsync(redis.Administrator);
}

/// <inheritdoc cref="RestrictedSessionStoreTests"/>
public sealed class RestrictedKeyRepositoryTests(RestrictedRedis redis) : KeyRepositoryContract, IClassFixture<RestrictedRedis>
{
    protected override async Task<IXmlRepository> RepositoryAsync()
    {
        var connection = redis.Connection();
        await redis.WipeAsync();
        return new RedisXmlRepository(connection, NullLogger<RedisXmlRepository>.Instance);
    }
}

/// <inheritdoc cref="RestrictedSessionStoreTests"/>
public sealed class RestrictedReplicaRegistryTests(RestrictedRedis redis) : ReplicaRegistryContract, IClassFixture<RestrictedRedis>
{
    protected override IReplicaRegistry Registry()
    {
        var connection = redis.Connection();
        redis.Administrator.KeyDelete(RedisBackend.Keys.Replicas);
        return new RedisReplicaRegistry(connection, NullLogger<RedisReplicaRegistry>.Instance);
    }

    protected override async Task AgeAsync(string replicaId, TimeSpan by)
    {
        var beat = ((string?)await redis.Administrator.HashGetAsync(RedisBackend.Keys.Replicas, replicaId))!.Split(' ', 2);
        await redis.Administrator.HashSetAsync(RedisBackend.Keys.Replicas, replicaId, $"{long.Parse(beat[0]) - (long)by.TotalMilliseconds} {beat[1]}");
    }
}

/// <summary>What that user may not do.</summary>
public sealed class RestrictedUserTests(RestrictedRedis redis) : IClassFixture<RestrictedRedis>
{
    [Theory]
    [InlineData("APPEND", "mcp-ha:x", "y")]
    [InlineData("HGETALL", "of-somebody-else")]
    [InlineData("KEYS", "*")]
    [InlineData("FLUSHALL")]
    [InlineData("CONFIG", "SET", "maxmemory", "1")]
    [InlineData("PUBLISH", "of-somebody-else", "x")]
    public async Task Nothing_else_is_allowed(string command, params string[] arguments) =>
        Assert.Contains("NOPERM", await redis.RefusalAsync(command, [.. arguments]), StringComparison.OrdinalIgnoreCase);
}

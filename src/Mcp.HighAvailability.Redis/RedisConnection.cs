using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using Mcp.HighAvailability.Storage;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace Mcp.HighAvailability.Redis;

/// <summary>The Redis connection of the cluster, with the faults of the client turned into those of the contracts.</summary>
/// <remarks>The connection is looked up at first use, because making it may already mean to connect; it is never disposed here.</remarks>
internal sealed class RedisConnection(IServiceProvider services, IOptions<RedisHighAvailabilityOptions> options)
{
    // By reference: the scripts are constants, and hashing their text is what this saves, on every call.
    private readonly ConcurrentDictionary<string, byte[]> _hashes = new(ReferenceEqualityComparer.Instance);
    private IConnectionMultiplexer? _multiplexer;

    public RedisKeys Keys { get; } = new(options.Value.KeyPrefix ?? "");

    /// <summary>Servers, roles and how often each was connected: as long as this stays the same, the same server processes answer.</summary>
    public string Servers => string.Join(
        ';', Multiplexer.GetServers().Select(static server => $"{server.EndPoint} {server.IsReplica} {server.GetCounters().Interactive.SocketCount}"));

    /// <summary>The application has said by <c>UseRedis</c> which connection it is, so no connection string is asked.</summary>
    public bool IsGiven => services.GetService<RedisConnectionSource>() is not null;

    public IConnectionMultiplexer Multiplexer => _multiplexer ??=
        services.GetService<RedisConnectionSource>()?.Connect(services)
        ?? services.GetKeyedService<IConnectionMultiplexer>(options.Value.ConnectionName)
        ?? services.GetService<IConnectionMultiplexer>()
        ?? throw new InvalidOperationException(
            $"The Redis backend needs a connection: call ha.UseRedis(\"localhost:6379\"), or builder.AddRedisClient(\"{options.Value.ConnectionName}\") "
                + $"(package Aspire.StackExchange.Redis), or register an IConnectionMultiplexer, keyed by \"{options.Value.ConnectionName}\" if there are "
                + "several.");

    /// <summary>Where Redis is, for messages; also when the client could not be made.</summary>
    public string Addresses => _multiplexer is { } multiplexer ? RedisFaults.Addresses(multiplexer) : "an address unknown here";

    /// <summary>Runs a script in one command.</summary>
    public async ValueTask<RedisResult> EvaluateAsync(string script, RedisKey[] keys, RedisValue[] arguments, CancellationToken cancellationToken)
    {
        try
        {
            var database = Database(keys[0]);
            try
            {
                return await database.ScriptEvaluateAsync(HashOf(script), keys, arguments).WaitAsync(options.Value.CommandTimeout, cancellationToken);
            }
            catch (RedisServerException e) when (RedisFaults.IsUnknownScript(e))
            {
                return await LoadAndEvaluateAsync(database, script, keys, arguments).WaitAsync(options.Value.CommandTimeout, cancellationToken);
            }
        }
        catch (Exception e) when (RedisFaults.Concerns(e, cancellationToken))
        {
            if (await TranslateAsync(e, keys) is { } translated)
                throw translated;
            throw;
        }
    }

    /// <summary>Runs one command on one key.</summary>
    public async ValueTask<T> RunAsync<T>(Func<IDatabase, RedisKey, Task<T>> command, RedisKey key, CancellationToken cancellationToken)
    {
        try
        {
            return await command(Database(key), key).WaitAsync(options.Value.CommandTimeout, cancellationToken);
        }
        catch (Exception e) when (RedisFaults.Concerns(e, cancellationToken))
        {
            if (await TranslateAsync(e, [key]) is { } translated)
                throw translated;
            throw;
        }
    }

    /// <summary>Sends a command that no caller waits for.</summary>
    /// <exception cref="StoreUnavailableException">Redis is away, and nothing was sent.</exception>
    public void Send(Func<IDatabase, RedisKey, Task> command, RedisKey key) => _ = command(Database(key), key);

    /// <summary>Runs a command of the subscriber connection.</summary>
    public async ValueTask SubscriberAsync(Func<ISubscriber, Task> command, CancellationToken cancellationToken)
    {
        try
        {
            await command(Multiplexer.GetSubscriber()).WaitAsync(options.Value.CommandTimeout, cancellationToken);
        }
        catch (Exception e) when (RedisFaults.Concerns(e, cancellationToken))
        {
            if (await TranslateAsync(e, []) is { } translated)
                throw translated;
            throw;
        }
    }

    // The client keeps what cannot be sent, and sends it when Redis is back: after the caller was told that it has failed.
    private IDatabase Database(RedisKey key)
    {
        var database = Multiplexer.GetDatabase();
        return database.IsConnected(key)
            ? database
            : throw new StoreUnavailableException($"Redis at {RedisFaults.Addresses(Multiplexer)} cannot be reached.");
    }

    private byte[] HashOf(string script) => _hashes.GetOrAdd(script, static text => SHA1.HashData(Encoding.UTF8.GetBytes(text)));

    // Redis has not seen the script yet, or has forgotten it: a restart, a fail-over, SCRIPT FLUSH.
    private static async Task<RedisResult> LoadAndEvaluateAsync(IDatabase database, string script, RedisKey[] keys, RedisValue[] arguments)
    {
        try
        {
            return await database.ScriptEvaluateAsync(script, keys, arguments);
        }
        catch (RedisServerException e) when (RedisFaults.IsUnknownScript(e))
        {
            // The client had loaded it before, too; now it knows better.
            return await database.ScriptEvaluateAsync(script, keys, arguments);
        }
    }

    private async ValueTask<Exception?> TranslateAsync(Exception fault, RedisKey[] keys)
    {
        if (RedisFaults.Unavailability(fault) is { } reason)
            return new StoreUnavailableException($"Redis at {RedisFaults.Addresses(Multiplexer)} {reason}.", fault);
        if (RedisFaults.IsWrongType(fault))
            return await WrongTypeAsync(fault, keys);
        if (RedisFaults.IsGarbage(fault))
            return RedisFaults.InvalidRecord(keys[0], fault);
        return null;
    }

    private async ValueTask<InvalidDataException> WrongTypeAsync(Exception fault, RedisKey[] keys)
    {
        var database = Multiplexer.GetDatabase();
        foreach (var key in keys)
        {
            // Asked by name: not every version of the client knows all types.
            var type = (string?)await database.ExecuteAsync("TYPE", key).WaitAsync(options.Value.CommandTimeout);
            if (type != "none" && type != RedisKeys.TypeOf(key))
                return new(
                    $"Redis key '{key}' holds a {type} instead of a {RedisKeys.TypeOf(key)}: another program writes it. Remove the key, or set another " +
                    "HighAvailability:Redis:KeyPrefix.",
                    fault);
        }

        return new($"One of the Redis keys {string.Join(", ", keys)} held a value of the wrong type.", fault);
    }
}

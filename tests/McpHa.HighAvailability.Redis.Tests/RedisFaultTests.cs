using System.Diagnostics;
using Mcp.HighAvailability.Redis;
using Mcp.HighAvailability.Storage;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using StackExchange.Redis;
using static McpHa.Tests.SessionSamples;

namespace McpHa.Tests;

/// <summary>What becomes of a Redis that hangs, refuses or is gone.</summary>
[Collection(RedisCollection.Name)]
public sealed class RedisFaultTests(RedisBackend redis)
{
    private const string Password = "s3cret-w0rd";

    [Fact]
    public async Task Every_method_says_that_a_killed_redis_is_unavailable_and_works_when_it_is_back()
    {
        RedisServer.SkipIfMissing();
        var server = new RedisServer("--requirepass", Password);
        await server.InitializeAsync();
        try
        {
            using var client = new RedisClient(server.ConnectionString + ",password=" + Password);
            var store = Store(client, Wait.Limit);
            var id = await CreatedAsync(store);
            var snapshot = Assert.IsType<TakeOver.Taken>(await store.TakeOverAsync(id, 1, "b")).Snapshot;
            await server.KillAsync();

            foreach (var step in EveryMethod(client, id, snapshot))
            {
                var fault = await Assert.ThrowsAsync<StoreUnavailableException>(step);
                Assert.Contains(server.Address, fault.Message, StringComparison.Ordinal);
                Assert.DoesNotContain(Password, fault.ToString(), StringComparison.Ordinal);
            }

            await server.StartAsync();
            await Wait.UntilAsync(async () => await AnswersAsync(store, id), "the connection to come back");
            Assert.Equal(CommitResult.Lost, await store.CommitAsync(id, Commit(1, 2, Entry(1))));
            Assert.Equal(CommitResult.Committed, await store.WriteBackAsync(snapshot, snapshot.Calls));
            Assert.Equal(CommitResult.Committed, await store.CommitAsync(id, Commit(1, 2, Entry(1))));
        }
        finally
        {
            await server.DisposeAsync();
        }
    }

    [Fact]
    public async Task A_redis_that_hangs_is_unavailable_after_the_time_out()
    {
        RedisServer.SkipIfMissing();
        var server = new RedisServer();
        await server.InitializeAsync();
        try
        {
            using var client = new RedisClient(server.ConnectionString);
            var store = Store(client, Wait.Limit);
            var id = await CreatedAsync(store);
            await SignalAsync(server, "STOP");

            var fault = await Assert.ThrowsAsync<StoreUnavailableException>(async () => await Store(client, TimeSpan.FromMilliseconds(300)).CommitAsync(id, Commit(1, 1, Entry(1))));
            Assert.Contains("did not answer in time", fault.Message, StringComparison.Ordinal);

            await SignalAsync(server, "CONT");
            await Wait.UntilAsync(async () => await AnswersAsync(store, id), "Redis to answer again");
            // It was applied all the same, which is why a repetition must be safe.
            Assert.Equal(CommitResult.Committed, await store.CommitAsync(id, Commit(1, 1, Entry(1))));
            Assert.Equal(1, (await store.FindAsync(id))!.LastCommit);
        }
        finally
        {
            await server.DisposeAsync();
        }
    }

    [Fact]
    public async Task A_redis_that_was_restarted_with_its_data_begins_another_incarnation()
    {
        RedisServer.SkipIfMissing();
        var server = new RedisServer("--appendonly", "yes", "--appendfsync", "always");
        await server.InitializeAsync();
        try
        {
            using var client = new RedisClient(server.ConnectionString);
            var connection = RedisBackend.Connection(client.Multiplexer);
            var store = new RedisSessionStore(connection, Options.Create(new SessionStoreOptions()), TimeProvider.System);
            var registry = new RedisReplicaRegistry(connection, NullLogger<RedisReplicaRegistry>.Instance);
            var before = (await registry.BeatAsync(null)).Incarnation;
            var id = await CreatedAsync(store);

            await server.KillAsync();
            await server.StartAsync();
            await Wait.UntilAsync(async () => await AnswersAsync(store, id), "the connection to come back");

            Assert.NotNull(await store.FindAsync(id));
            Assert.NotEqual(before, (await registry.BeatAsync(null)).Incarnation);
        }
        finally
        {
            await server.DisposeAsync();
        }
    }

    [Theory]
    [InlineData("READONLY")]
    [InlineData("OOM")]
    public async Task A_server_that_refuses_writes_is_unavailable(string word)
    {
        RedisServer.SkipIfMissing();
        var server = new RedisServer();
        await server.InitializeAsync();
        try
        {
            using var client = new RedisClient(server.ConnectionString);
            var store = new RedisSessionStore(RedisBackend.Connection(client.Multiplexer), Options.Create(new SessionStoreOptions()), TimeProvider.System);
            var id = await CreatedAsync(store);
            if (word == "OOM")
                await client.Database.ExecuteAsync("CONFIG", "SET", "maxmemory", "1");
            else
                await client.Database.ExecuteAsync("REPLICAOF", "127.0.0.1", $"{server.Port}");

            await Assert.ThrowsAsync<StoreUnavailableException>(async () => await store.CommitAsync(id, Commit(1, 1, Entry(1))));
        }
        finally
        {
            await server.DisposeAsync();
        }
    }

    [Fact]
    public async Task Subscriptions_come_back_after_a_restart_of_redis()
    {
        RedisServer.SkipIfMissing();
        var server = new RedisServer();
        await server.InitializeAsync();
        try
        {
            using var client = new RedisClient(server.ConnectionString);
            var bus = redis.Bus(client.Multiplexer);
            var received = 0;
            await using var subscription = await bus.SubscribeAsync("t", _ =>
            {
                Interlocked.Increment(ref received);
                return default;
            });
            await server.KillAsync();
            await server.StartAsync();

            await Wait.UntilAsync(
                async () =>
                {
                    try
                    {
                        await bus.PublishAsync("t", Utf8("x"));
                    }
                    catch (StoreUnavailableException)
                    {
                        // Not back yet.
                    }

                    return Volatile.Read(ref received) > 0;
                },
                "a message after the restart");
        }
        finally
        {
            await server.DisposeAsync();
        }
    }

    private static RedisSessionStore Store(RedisClient client, TimeSpan patience) => new(
        RedisBackend.Connection(client.Multiplexer, new() { CommandTimeout = patience }), Options.Create(new SessionStoreOptions()), TimeProvider.System);

    private static IEnumerable<Func<Task>> EveryMethod(RedisClient client, string id, SessionSnapshot snapshot)
    {
        var store = Store(client, TimeSpan.FromSeconds(1));
        var connection = RedisBackend.Connection(client.Multiplexer, new() { CommandTimeout = TimeSpan.FromSeconds(1) });
        var handles = new RedisStateHandleStore(connection, Options.Create(new StateHandleOptions()));
        var registry = new RedisReplicaRegistry(connection, NullLogger<RedisReplicaRegistry>.Instance);
        var bus = new RedisEventBus(connection, NullLogger<RedisEventBus>.Instance);
        yield return async () => await store.CreateAsync(snapshot.Record);
        yield return async () => await store.FindAsync(id);
        yield return async () => await store.TakeOverAsync(id, 2, "c");
        yield return async () => await store.CommitAsync(id, Commit(1, 2, Entry(1)));
        yield return async () => await store.ReadStateAsync(id);
        yield return async () => await store.ReleaseAsync(id, 2);
        yield return async () => await store.EndAsync(id, 2);
        yield return async () => await store.WriteBackAsync(snapshot, snapshot.Calls);
        yield return async () => await new RedisSessionJournal(connection).ReadAsync(id, "s", 0).CountAsync();
        yield return async () => await handles.CreateAsync(id, "");
        yield return async () => await handles.ReadAsync(id);
        yield return async () => await handles.CommitAsync(id, 0, [], "c", default);
        yield return async () => await registry.BeatAsync(null);
        yield return async () => await registry.LeaveAsync("r");
        yield return async () => await bus.PublishAsync("t", default);
    }

    private static async ValueTask<bool> AnswersAsync(RedisSessionStore store, string id)
    {
        try
        {
            await store.FindAsync(id);
            return true;
        }
        catch (StoreUnavailableException)
        {
            return false;
        }
    }

    private static async Task SignalAsync(RedisServer server, string signal)
    {
        using var kill = Process.Start("kill", [$"-{signal}", $"{server.ProcessId}"]);
        await kill.WaitForExitAsync();
        Assert.Equal(0, kill.ExitCode);
    }
}

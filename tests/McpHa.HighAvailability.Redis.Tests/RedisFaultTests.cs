using System.Diagnostics;
using McpHa.HighAvailability;
using McpHa.HighAvailability.Cluster;
using McpHa.HighAvailability.EventBus;
using McpHa.HighAvailability.Journal;
using McpHa.HighAvailability.Redis;
using McpHa.HighAvailability.Sessions;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using StackExchange.Redis;
using static McpHa.Tests.SessionSamples;

namespace McpHa.Tests;

/// <summary>What becomes of a Redis that forgets, holds garbage, hangs or is gone.</summary>
[Collection(RedisCollection.Name)]
public sealed class RedisFaultTests(RedisBackend redis)
{
    private const string Password = "s3cret-w0rd";

    [SkippableFact]
    public async Task Scripts_survive_a_flush_of_the_script_cache()
    {
        var store = redis.Store();
        var id = await CreatedAsync(store);
        for (var n = 1; n <= 3; n++)
        {
            await redis.Database.ExecuteAsync("SCRIPT", "FLUSH");
            Assert.Equal(CommitResult.Committed, await store.CommitAsync(id, Commit(n, 1, Entry(n))));
        }

        await redis.Database.ExecuteAsync("SCRIPT", "FLUSH");
        var commits = await Task.WhenAll(Enumerable.Range(0, 20).Select(async _ => await store.ReleaseAsync(id, 1)));

        Assert.All(commits, result => Assert.Equal(CommitResult.Committed, result));
        Assert.Equal(3, (await store.FindAsync(id))!.LastPosition);
    }

    [SkippableTheory]
    [InlineData(0, "hash")]
    [InlineData(1, "stream")]
    [InlineData(2, "hash")]
    [InlineData(3, "hash")]
    public async Task A_key_of_the_wrong_type_is_named_and_other_sessions_go_on(int index, string type)
    {
        var store = redis.Store();
        var (bad, good) = (await CreatedAsync(store), await CreatedAsync(store));
        var key = RedisBackend.Keys.WholeSession(bad)[index];
        await redis.Database.KeyDeleteAsync(key);
        await redis.Database.StringSetAsync(key, "garbage");
        var commit = new SessionCommit { Epoch = 1, Number = 1, LastPosition = 1, Append = [Entry(1)], Calls = [Set("s", "c")], State = [Set("k", "v")] };

        var fault = await Assert.ThrowsAsync<InvalidDataException>(async () => await store.CommitAsync(bad, commit));

        Assert.Contains($"'{key}' holds a string where a {type} belongs", fault.Message, StringComparison.Ordinal);
        Assert.Equal(CommitResult.Committed, await store.CommitAsync(good, commit));
        if (index < 3)
            await Assert.ThrowsAsync<InvalidDataException>(async () => await store.TakeOverAsync(bad, 1, "b"));
        Assert.IsType<TakeOver.Taken>(await store.TakeOverAsync(good, 1, "b"));
    }

    [SkippableTheory]
    [InlineData("epoch", "x")]
    [InlineData("epoch", "")]
    [InlineData("commit", "x")]
    [InlineData("entries", "many")]
    [InlineData("created", "yesterday")]
    [InlineData("position", "-5")]
    public async Task A_record_with_a_garbage_field_is_named_and_never_taken_for_a_session(string field, string value)
    {
        var store = redis.Store();
        var id = await CreatedAsync(store);
        var key = RedisBackend.Keys.Session(id);
        await redis.Database.HashSetAsync(key, field, value);

        Func<Task>[] steps =
        [
            async () => await store.FindAsync(id),
            async () => await store.CommitAsync(id, Commit(1, 1, Entry(1))),
            async () => await store.TakeOverAsync(id, 1, "b"),
        ];
        // The commit reads only what it needs, so does the search.
        var faults = new List<Exception>();
        foreach (var step in steps)
        {
            if (await Xunit.Record.ExceptionAsync(step) is { } fault)
                faults.Add(fault);
        }

        Assert.NotEmpty(faults);
        Assert.All(faults, fault => Assert.Contains($"'{key}'", Assert.IsType<InvalidDataException>(fault).Message, StringComparison.Ordinal));
    }

    [SkippableFact]
    public async Task A_foreign_hash_under_the_key_of_a_session_is_no_session()
    {
        var store = redis.Store();
        var id = NewId();
        await redis.Database.HashSetAsync(RedisBackend.Keys.Session(id), "colour", "red");

        await Assert.ThrowsAsync<InvalidDataException>(async () => await store.FindAsync(id));
        await Assert.ThrowsAsync<InvalidDataException>(async () => await store.CommitAsync(id, Commit(1)));
        await Assert.ThrowsAsync<InvalidDataException>(async () => await store.TakeOverAsync(id, 1, "b"));
        await Assert.ThrowsAsync<InvalidDataException>(async () => await store.WriteBackAsync(new(SessionSamples.Record(id), new Dictionary<string, ReadOnlyMemory<byte>>(), []), new Dictionary<string, ReadOnlyMemory<byte>>()));
        Assert.False(await store.CreateAsync(SessionSamples.Record(id)));
    }

    [SkippableFact]
    public async Task Every_method_says_that_a_killed_redis_is_unavailable_and_works_when_it_is_back()
    {
        RedisServer.SkipIfMissing();
        var server = new RedisServer("--requirepass", Password);
        await server.InitializeAsync();
        try
        {
            using var client = new RedisClient(server.ConnectionString + ",password=" + Password);
            var connection = RedisBackend.Connection(client.Multiplexer, new() { CommandTimeout = TimeSpan.FromSeconds(1) });
            var store = new RedisSessionStore(connection, Options.Create(new SessionStoreOptions()), TimeProvider.System);
            var id = await CreatedAsync(store);
            var snapshot = Assert.IsType<TakeOver.Taken>(await store.TakeOverAsync(id, 1, "b")).Snapshot;
            await server.KillAsync();

            foreach (var step in EveryMethod(connection, store, id, snapshot))
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

    [SkippableFact]
    public async Task A_redis_that_hangs_is_unavailable_after_the_time_out()
    {
        RedisServer.SkipIfMissing();
        var server = new RedisServer();
        await server.InitializeAsync();
        try
        {
            using var client = new RedisClient(server.ConnectionString);
            var store = new RedisSessionStore(
                RedisBackend.Connection(client.Multiplexer, new() { CommandTimeout = TimeSpan.FromMilliseconds(300) }),
                Options.Create(new SessionStoreOptions()),
                TimeProvider.System);
            var id = await CreatedAsync(store);
            await SignalAsync(server, "STOP");

            var fault = await Assert.ThrowsAsync<StoreUnavailableException>(async () => await store.CommitAsync(id, Commit(1, 1, Entry(1))));
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

    [SkippableTheory]
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

    [SkippableFact]
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

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Without_redis_the_application_does_not_start_and_says_where_it_looked_and_what_to_do(bool abortConnect)
    {
        var port = RedisServer.FreePort();
        var connectionString = $"127.0.0.1:{port},abortConnect={abortConnect},connectTimeout=500,connectRetry=1,password={Password}";
        var builder = Host.CreateApplicationBuilder();
        builder.Configuration["ConnectionStrings:redis"] = connectionString;
        builder.Services.AddSingleton<IConnectionMultiplexer>(_ => ConnectionMultiplexer.Connect(connectionString));
        builder.Services.AddRedisReplicaRegistry(options => options.StartTimeout = TimeSpan.FromMilliseconds(300));
        // Whatever needs Redis at its own start comes later, wherever it was registered.
        builder.Services.AddHostedService<FirstBeat>();
        using var host = builder.Build();

        var fault = await Assert.ThrowsAsync<InvalidOperationException>(() => host.StartAsync());

        Assert.Contains($"127.0.0.1:{port} cannot be reached", fault.Message, StringComparison.Ordinal);
        Assert.Contains("ConnectionStrings:redis", fault.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(Password, fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_a_registered_connection_the_start_says_how_to_register_one()
    {
        var builder = Host.CreateApplicationBuilder();
        builder.Services.AddRedisReplicaRegistry();
        using var host = builder.Build();

        var fault = await Assert.ThrowsAsync<InvalidOperationException>(() => host.StartAsync());

        Assert.Contains("AddRedisClient(\"redis\")", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Options_that_cannot_work_end_the_start_with_their_name_and_a_cure()
    {
        var builder = Host.CreateApplicationBuilder();
        builder.Services.AddRedisReplicaRegistry(options => options.KeyPrefix = "{all}:");
        using var host = builder.Build();

        var fault = await Assert.ThrowsAsync<OptionsValidationException>(() => host.StartAsync());

        Assert.Contains("RedisHighAvailabilityOptions.KeyPrefix", fault.Message, StringComparison.Ordinal);
    }

    [SkippableFact]
    public async Task UseRedis_replaces_every_seam_whatever_was_registered_before_or_after_it()
    {
        RedisServer.SkipIfMissing();
        var builder = Host.CreateApplicationBuilder();
        builder.Services.TryAddInMemoryBackend();
        builder.Services.AddSingleton(redis.Client);
        new HighAvailabilityBuilder(builder.Services).UseRedis(options => options.KeyPrefix = "other:");
        builder.Services.TryAddInMemoryBackend();
        using var host = builder.Build();
        await host.StartAsync();

        Assert.IsType<RedisEventBus>(host.Services.GetRequiredService<IEventBus>());
        Assert.IsType<RedisReplicaRegistry>(host.Services.GetRequiredService<IReplicaRegistry>());
        Assert.IsType<RedisSessionJournal>(host.Services.GetRequiredService<ISessionJournal>());
        Assert.IsType<RedisStateHandleStore>(host.Services.GetRequiredService<IStateHandleStore>());
        var id = await CreatedAsync(Assert.IsType<RedisSessionStore>(host.Services.GetRequiredService<ISessionStore>()));
        Assert.True(await redis.Database.KeyExistsAsync($"other:{{{id}}}:session"));

        await host.StopAsync();
        Assert.True(redis.Client.IsConnected);
    }

    private static IEnumerable<Func<Task>> EveryMethod(RedisConnection connection, RedisSessionStore store, string id, SessionSnapshot snapshot)
    {
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

    private static async Task<string> CreatedAsync(RedisSessionStore store)
    {
        var id = NewId();
        Assert.True(await store.CreateAsync(SessionSamples.Record(id)));
        return id;
    }

    private sealed class FirstBeat(IReplicaRegistry registry) : BackgroundService
    {
        protected override async Task ExecuteAsync(CancellationToken stoppingToken) => await registry.BeatAsync(null, stoppingToken);
    }
}

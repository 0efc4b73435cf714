using Mcp.HighAvailability.Redis;
using Mcp.HighAvailability.Storage;
using Mcp.HighAvailability.Tasks;
using Microsoft.AspNetCore.DataProtection.Repositories;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using StackExchange.Redis;
using static McpHa.Tests.SessionSamples;

namespace McpHa.Tests;

[Collection(RedisCollection.Name)]
public class RedisSessionStoreTests(RedisBackend redis) : SessionStoreContract
{
    protected override ISessionStore Store(SessionStoreOptions? options = null) => redis.Store(options);
}

[Collection(RedisCollection.Name)]
public class RedisSessionCommitTests(RedisBackend redis) : SessionCommitContract
{
    protected override ISessionStore Store() => redis.Store();
}

[Collection(RedisCollection.Name)]
public class RedisSessionWriteBackTests(RedisBackend redis) : SessionWriteBackContract
{
    protected override ISessionStore Store() => redis.Store();

    protected override Task WipeAsync() => redis.WipeAsync();
}

[Collection(RedisCollection.Name)]
public class RedisSessionLookupTests(RedisBackend redis) : SessionLookupContract
{
    protected override (ISessionStore Store, ISessionLookup Lookup) Backend() => (redis.Store(), new RedisSessionLookup(redis.Connection()));
}

[Collection(RedisCollection.Name)]
public class RedisStoreFiguresTests(RedisBackend redis) : StoreFiguresContract
{
    protected override (ISessionStore Store, IStoreFigures Figures) Backend(SessionStoreOptions? options = null)
    {
        // Sessions of other tests may expire at any time.
        var store = redis.Store(options);
        redis.Database.KeyDelete(RedisBackend.Keys.OpenSessions);
        return (store, new RedisStoreFigures(redis.Connection()));
    }

    [Fact]
    public async Task The_memory_is_read_where_the_store_tells_it()
    {
        var (_, figures) = Backend();

        Assert.Equal(TellsMemory, (await figures.ReadAsync()).MemoryUsed > 0);
    }

    /// <summary>Whether scripts can ask the store for its memory.</summary>
    protected virtual bool TellsMemory => true;
}

[Collection(RedisCollection.Name)]
public class RedisJournalTests(RedisBackend redis) : JournalContract
{
    protected override (ISessionStore Store, ISessionJournal Journal) Backend(SessionStoreOptions? options = null) =>
        (redis.Store(options, Metrics), new RedisSessionJournal(redis.Connection()));
}

[Collection(RedisCollection.Name)]
public class RedisEventBusTests(RedisBackend redis) : EventBusContract, IDisposable
{
    private readonly List<RedisClient> _clients = [];

    public void Dispose() => _clients.ForEach(client => client.Dispose());

    protected override (IEventBus One, IEventBus Other) Members()
    {
        redis.Server.SkipIfUnavailable();
        return (Member(), Member());
    }

    private RedisEventBus Member()
    {
        var client = new RedisClient(redis.Server.ConnectionString);
        _clients.Add(client);
        return redis.Bus(client.Multiplexer);
    }
}

[Collection(RedisCollection.Name)]
public class RedisBroadcastLogTests(RedisBackend redis) : BroadcastLogContract, IDisposable
{
    private readonly List<RedisClient> _clients = [];

    public void Dispose() => _clients.ForEach(client => client.Dispose());

    protected override async Task<(IBroadcastLog Log, IEventBus Bus)> EmptyAsync(BroadcastOptions? options = null)
    {
        redis.Server.SkipIfUnavailable();
        await WipeAsync();
        var client = new RedisClient(redis.Server.ConnectionString);
        _clients.Add(client);

        // A clock that stands shows that incarnations ascend by more than the time.
        FakeTimeProvider time = new(DateTimeOffset.UtcNow);
        RedisBroadcastLog log = new(redis.Connection(), Options.Create(options ?? new()), time, NullLogger<RedisBroadcastLog>.Instance);
        return (log, redis.Bus(client.Multiplexer));
    }

    protected override async Task WipeAsync() => await redis.Database.KeyDeleteAsync(RedisBackend.Keys.WholeBroadcastLog);

    protected override Task LoseNewestAsync() => LoseNewestAsync(redis.Database);

    [Fact]
    public async Task Another_server_process_begins_another_incarnation_and_loses_nothing()
    {
        var (log, _) = await EmptyAsync();
        var before = (await log.AppendAsync(new() { Kind = "k", Id = "1", Payload = Utf8("1") }, default))!;
        await redis.Database.HashSetAsync(RedisBackend.Keys.Broadcasts, "run", "of another process");

        var after = (await log.AppendAsync(new() { Kind = "k", Id = "2", Payload = Utf8("2") }, default))!;
        var next = (await log.AppendAsync(new() { Kind = "k", Id = "3", Payload = Utf8("3") }, default))!;

        Assert.NotEqual(before.Position.Incarnation, after.Position.Incarnation);
        Assert.Equal((2, before.Position), (after.Position.Number, after.Previous));
        Assert.Equal(after.Position.Incarnation, next.Position.Incarnation);
        Assert.Equal(["2", "3"], (await log.ReadAsync(before.Position)).Entries.Select(entry => Text(entry.Payload)));
    }

    /// <summary>Takes the newest entry out of the log, and everything that tells of it.</summary>
    internal static async Task LoseNewestAsync(IDatabase database)
    {
        var keys = RedisBackend.Keys.WholeBroadcastLog;
        Assert.True(BroadcastEntry.TryRead((byte[])(await database.ListRightPopAsync(keys[1]))!, out var lost));
        await database.HashDeleteAsync(keys[2], lost.Id);
        await database.HashSetAsync(keys[0], [new("number", lost.Position.Number - 1), new("tail", lost.Previous.ToString())]);
    }
}

[Collection(RedisCollection.Name)]
public class RedisReplicaRegistryTests(RedisBackend redis) : ReplicaRegistryContract
{
    protected override IReplicaRegistry Registry()
    {
        redis.Server.SkipIfUnavailable();
        redis.Database.KeyDelete(RedisBackend.Keys.Replicas);
        return new RedisReplicaRegistry(redis.Connection(), NullLogger<RedisReplicaRegistry>.Instance);
    }

    protected override async Task AgeAsync(string replicaId, TimeSpan by)
    {
        var beat = ((string?)await redis.Database.HashGetAsync(RedisBackend.Keys.Replicas, replicaId))!.Split(' ', 2);
        await redis.Database.HashSetAsync(RedisBackend.Keys.Replicas, replicaId, $"{long.Parse(beat[0]) - (long)by.TotalMilliseconds} {beat[1]}");
    }

    [Fact]
    public async Task A_heartbeat_that_cannot_be_read_hides_no_other_and_goes_away()
    {
        var registry = Registry();
        var good = Replica();
        await redis.Database.HashSetAsync(RedisBackend.Keys.Replicas, "garbage", "no heartbeat");
        await redis.Database.HashSetAsync(RedisBackend.Keys.Replicas, "newer", $"{DateTimeOffset.UtcNow.ToUnixTimeMilliseconds()} {{]");
        await redis.Database.HashSetAsync(RedisBackend.Keys.Replicas, "incomplete", $"{DateTimeOffset.UtcNow.ToUnixTimeMilliseconds()} {{}}");

        Assert.Equal([good], (await registry.BeatAsync(good)).Select(entry => entry.Replica));
        await AgeAsync("newer", TimeSpan.FromSeconds(61));
        await AgeAsync("incomplete", TimeSpan.FromSeconds(61));
        await registry.BeatAsync(null);

        Assert.Equal(2, await redis.Database.HashLengthAsync(RedisBackend.Keys.Replicas)); // with the mark of the incarnation
    }

    [Fact]
    public async Task An_incarnation_lasts_until_the_data_are_gone()
    {
        var registry = Registry();
        var first = await registry.BeatAsync(Replica());
        await registry.BeatAsync(null);
        var later = await registry.BeatAsync(Replica());
        Assert.Equal(first.Incarnation, later.Incarnation);
        Assert.InRange(later.IncarnationAge, first.IncarnationAge, TimeSpan.FromMinutes(5));

        await redis.WipeAsync();

        var next = await registry.BeatAsync(null);
        Assert.NotEqual(first.Incarnation, next.Incarnation);
        Assert.Equal(next.Incarnation, (await registry.BeatAsync(Replica())).Incarnation);
        Assert.True(next.IncarnationAge < TimeSpan.FromSeconds(10));
    }
}

[Collection(RedisCollection.Name)]
public class RedisKeyRepositoryTests(RedisBackend redis) : KeyRepositoryContract
{
    protected override async Task<IXmlRepository> RepositoryAsync()
    {
        redis.Server.SkipIfUnavailable();
        await redis.Database.KeyDeleteAsync(RedisBackend.Keys.DataProtection);
        return new RedisXmlRepository(redis.Connection(), NullLogger<RedisXmlRepository>.Instance);
    }
}

[Collection(RedisCollection.Name)]
public class RedisStateHandleStoreTests(RedisBackend redis) : StateHandleStoreContract
{
    protected override IStateHandleStore Store(StateHandleOptions? options = null)
    {
        redis.Server.SkipIfUnavailable();
        return new RedisStateHandleStore(redis.Connection(), Options.Create(options ?? new()));
    }
}

[Collection(RedisCollection.Name)]
public class RedisTaskStoreTests(RedisBackend redis) : TaskStoreContract
{
    /// <summary>How many tasks come and go.</summary>
    protected virtual int Tasks => 10_000;

    protected override ITaskStore Store()
    {
        redis.Server.SkipIfUnavailable();
        return new RedisTaskStore(redis.Connection());
    }

    [Fact]
    public async Task A_write_back_enters_a_task_again_that_is_missing_with_its_owner()
    {
        var store = Store();
        var task = await CreatedAsync(store);
        await redis.Database.KeyDeleteAsync(RedisBackend.Keys.TasksOf(task.Owner));

        Assert.Equal(TaskCommit.Committed, await store.WriteBackAsync(Snapshot(task)));

        Assert.Equal([task.Id], await store.OwnedAsync(task.Owner));
    }

    [Fact]
    public async Task Nothing_is_left_after_many_tasks()
    {
        redis.Server.SkipIfUnavailable();
        var store = new RedisTaskStore(redis.Connection()) { EntryGrace = TimeSpan.Zero };
        await redis.WipeAsync();
        await Parallel.ForAsync(0, Tasks, async (n, cancellation) =>
        {
            var task = NewTask() with { User = $"user {n % 100}", TimeToLive = TimeSpan.FromMilliseconds(300), Exchange = n % 2 == 0 ? NewId() : "", Owner = $"r{n % 4}" };
            Assert.IsType<TaskCreation.Created>(await store.CreateAsync(task, new(20_000, 20_000), cancellation));
            if (n % 3 == 0)
                await store.CommitAsync(task.Id, 1, new() { Inputs = [new("a", Utf8("{}"))], State = [Set("k", "v")] }, cancellation);
            else
                await store.CancelAsync(task.Id, task.User, cancellation);
        });

        await Wait.UntilAsync(
            async () =>
            {
                await store.SweepAsync();
                foreach (var owner in await store.OwnersAsync())
                {
                    foreach (var id in await store.OwnedAsync(owner))
                    {
                        if (await store.ReadAsync(id) is null)
                            await store.ForgetAsync(id, owner);
                    }
                }

                return (await KeysAsync()).All(key => key.Contains(":made:", StringComparison.Ordinal));
            },
            "everything but the exchanges of the last two minutes to be gone",
            TimeSpan.FromSeconds(90));
        Assert.All(await KeysAsync(), key => Assert.NotEqual(-1, redis.Database.KeyTimeToLive(key)?.TotalMilliseconds ?? -1));

        // A command without a key goes to any node of a cluster.
        async Task<string[]> KeysAsync() =>
            [.. (await Task.WhenAll(redis.Client.GetServers().Select(server => server.ExecuteAsync("KEYS", "*")))).SelectMany(keys => (string[])keys!)];
    }
}

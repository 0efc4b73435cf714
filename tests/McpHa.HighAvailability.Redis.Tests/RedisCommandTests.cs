using Mcp.HighAvailability.Cluster;
using Mcp.HighAvailability.Redis;
using Mcp.HighAvailability.Storage;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using StackExchange.Redis;
using static McpHa.Tests.SessionSamples;

namespace McpHa.Tests;

/// <summary>What the backend costs Redis, and where its keys lie.</summary>
[Collection(RedisCollection.Name)]
public sealed class RedisCommandTests(RedisBackend redis)
{
    [Fact]
    public async Task A_commit_is_one_command_and_three_steps_inside()
    {
        var store = redis.Store();
        var id = await CreatedAsync(store);
        await store.CommitAsync(id, Commit(1, 1, Entry(1)));
        var before = await CommandsAsync();

        for (var n = 2; n <= 101; n++)
            await store.CommitAsync(id, Commit(n, 1, Entry(n)));

        Assert.Equal(
            new() { ["evalsha"] = 100, ["hmget"] = 100, ["rpush"] = 100, ["hset"] = 100 },
            await CommandsAsync(since: before));
    }

    [Fact]
    public async Task Trimming_a_full_journal_costs_nothing_on_most_commits()
    {
        var store = redis.Store(new() { JournalEntries = 160 });
        var id = await CreatedAsync(store);
        for (var n = 1; n <= 160; n++)
            await store.CommitAsync(id, Commit(n, 1, Entry(n)));
        var before = await CommandsAsync();

        for (var n = 161; n <= 260; n++)
            await store.CommitAsync(id, Commit(n, 1, Entry(n)));

        Assert.InRange((await CommandsAsync(since: before))["ltrim"], 9, 10);
    }

    [Fact]
    public async Task Finding_the_owner_of_a_session_is_one_read_of_five_fields()
    {
        var store = redis.Store();
        var id = await CreatedAsync(store);
        var before = await CommandsAsync();

        await store.FindAsync(id);

        Assert.Equal(new() { ["hmget"] = 1 }, await CommandsAsync(since: before));
        Assert.Equal(5, RedisSessionRecord.OwnerFields.Length);
    }

    [Fact]
    public async Task A_take_over_that_is_refused_reads_nothing_that_grows_with_the_session()
    {
        var store = redis.Store();
        var id = await CreatedAsync(store);
        await store.TakeOverAsync(id, 1, "b");
        var before = await CommandsAsync();

        Assert.IsType<TakeOver.Refused>(await store.TakeOverAsync(id, 1, "c"));

        Assert.Equal(new() { ["evalsha"] = 1, ["hmget"] = 2, ["zadd"] = 1 }, await CommandsAsync(since: before));
    }

    [Fact]
    public async Task An_idle_replica_sends_one_script_per_heartbeat_and_no_INFO()
    {
        RedisServer.SkipIfMissing();
        await redis.Database.KeyDeleteAsync(RedisBackend.Keys.Replicas);
        var registry = new RedisReplicaRegistry(redis.Connection(), NullLogger<RedisReplicaRegistry>.Instance);
        using var directory = new ReplicaDirectory(
            registry, Options.Create(new ClusterOptions { HeartbeatInterval = TimeSpan.FromMilliseconds(50) }), TimeProvider.System, NullLogger<ReplicaDirectory>.Instance, new Self());
        await directory.StartAsync(default);
        await Wait.UntilAsync(() => directory.Alive.Count == 1, "the first heartbeat");
        await directory.RefreshAsync();
        var before = await CommandsAsync();

        Dictionary<string, long> sent = [];
        var looks = 0;
        await Wait.UntilAsync(
            async () =>
            {
                looks++;
                sent = await CommandsAsync(before, countInfo: true);
                return sent.GetValueOrDefault("evalsha") >= 20;
            },
            "20 heartbeats");
        await directory.StopAsync(default);

        // Every look at the counters is an INFO of this test, and the client may look at the server's role once.
        Assert.InRange(sent["info"], looks, looks + 1);
        Assert.True(sent.Remove("info"));
        Assert.Equal(new() { ["evalsha"] = sent["evalsha"], ["time"] = sent["evalsha"], ["hset"] = sent["evalsha"], ["hgetall"] = sent["evalsha"] }, sent);
    }

    [Fact]
    public async Task An_idle_session_sends_no_command()
    {
        var store = redis.Store(new() { IdleTimeout = TimeSpan.FromMilliseconds(300) });
        var ids = new List<string>();
        for (var n = 0; n < 50; n++)
            ids.Add(await CreatedAsync(store));
        var before = await CommandsAsync();

        // Redis itself ends the sessions, so the time that passes is known without asking it for one of them.
        await Wait.UntilAsync(async () => (long)await redis.Database.ExecuteAsync("DBSIZE") == 0 || await ExpiredAsync(ids), "the sessions to expire");

        Assert.Equal([], (await CommandsAsync(since: before)).Keys.Except(["dbsize", "exists"]));
    }

    [Fact]
    public async Task All_keys_of_a_session_expire()
    {
        var store = redis.Store();
        var id = await CreatedAsync(store);
        await store.CommitAsync(id, new() { Epoch = 1, Number = 1, LastPosition = 1, Append = [Entry(1)], Calls = [Set("s", "c")], State = [Set("k", "v")], Touch = true });
        await store.CommitAsync(id, new() { Epoch = 1, Number = 2, LastPosition = 1, Calls = [Remove("s")] });
        await store.CommitAsync(id, new() { Epoch = 1, Number = 3, LastPosition = 1, Calls = [Set("s", "again")], State = [Remove("k"), Set("k2", "v")] });

        await AssertExpiryAsync(id);

        var snapshot = Assert.IsType<TakeOver.Taken>(await store.TakeOverAsync(id, 1, "b")).Snapshot;
        await AssertExpiryAsync(id);
        await redis.WipeAsync();
        await store.WriteBackAsync(snapshot, snapshot.Calls);
        await AssertExpiryAsync(id);
    }

    [Fact]
    public async Task An_ended_session_leaves_only_its_mark()
    {
        var store = redis.Store(new() { EndedRetention = TimeSpan.FromSeconds(100) });
        var id = await CreatedAsync(store);
        await store.CommitAsync(id, new() { Epoch = 1, Number = 1, LastPosition = 1, Append = [Entry(1)], Calls = [Set("s", "c")], State = [Set("k", "v")] });

        await store.EndAsync(id, 1);

        var keys = RedisBackend.Keys.WholeSession(id);
        Assert.True(await redis.Database.KeyExistsAsync(keys[0]));
        Assert.InRange((await redis.Database.KeyTimeToLiveAsync(keys[0]))!.Value, TimeSpan.FromSeconds(50), TimeSpan.FromSeconds(100));
        foreach (var key in keys[1..])
            Assert.False(await redis.Database.KeyExistsAsync(key));
    }

    [Fact]
    public async Task All_keys_of_a_session_or_handle_are_in_one_hash_slot_and_sessions_are_spread()
    {
        RedisServer.SkipIfMissing();
        await using var server = await ClusterNodeAsync();
        using var client = new RedisClient(server.Server.ConnectionString);
        var keys = new RedisKeys("a-prefix:");
        var slots = new HashSet<long>();
        for (var n = 0; n < 20; n++)
        {
            var id = NewId();
            var ofSession = await SlotsAsync(client, keys.WholeSession(id));
            Assert.Single(ofSession);
            Assert.Single(await SlotsAsync(client, [keys.Handle(id), keys.Applied(id)]));
            slots.UnionWith(ofSession);
        }

        Assert.True(slots.Count > 10);
    }

    [Fact]
    public async Task Every_script_runs_in_cluster_mode()
    {
        RedisServer.SkipIfMissing();
        await using var server = await ClusterNodeAsync();
        using var client = new RedisClient(server.Server.ConnectionString);
        await client.Database.ExecuteAsync("CLUSTER", "ADDSLOTSRANGE", 0, 16383);
        await Wait.UntilAsync(
            async () => ((string?)await client.Database.ExecuteAsync("CLUSTER", "INFO"))!.Contains("cluster_state:ok", StringComparison.Ordinal),
            "the cluster of one node");
        await client.Multiplexer.ConfigureAsync();
        var connection = RedisBackend.Connection(client.Multiplexer);
        var store = new RedisSessionStore(connection, Options.Create(new SessionStoreOptions { JournalEntries = 2 }), TimeProvider.System);
        var handles = new RedisStateHandleStore(connection, Options.Create(new StateHandleOptions()));

        var id = await CreatedAsync(store);
        await store.CommitAsync(id, new() { Epoch = 1, Number = 1, LastPosition = 3, Append = [Entry(1), Entry(2), Entry(3)], Remove = [1], Calls = [Set("s", "c")], State = [Set("k", "v")], Touch = true });
        var taken = Assert.IsType<TakeOver.Taken>(await store.TakeOverAsync(id, 1, "b"));
        Assert.Equal(2, taken.Snapshot.Journal.Count);
        Assert.Equal(CommitResult.Committed, await store.WriteBackAsync(taken.Snapshot with { Record = taken.Snapshot.Record with { Epoch = 3 } }, taken.Snapshot.Calls));
        Assert.Equal(2, await new RedisSessionJournal(connection).ReadAsync(id, "s1", 0).CountAsync());
        Assert.Equal(CommitResult.Committed, await store.ReleaseAsync(id, 3));
        Assert.Equal(CommitResult.Committed, await store.EndAsync(id, 3));
        await handles.CreateAsync(id, "");
        Assert.IsType<StateHandleCommit.Committed>(await handles.CommitAsync(id, 0, [Set("k", "v")], "c", default));
        Assert.NotNull(await handles.ReadAsync(id));
    }

    private async Task AssertExpiryAsync(string id)
    {
        foreach (var key in RedisBackend.Keys.WholeSession(id))
            Assert.InRange(await redis.Database.KeyTimeToLiveAsync(key) ?? TimeSpan.MaxValue, TimeSpan.FromHours(3.9), TimeSpan.FromHours(4));
    }

    private async Task<bool> ExpiredAsync(List<string> ids)
    {
        var exist = await Task.WhenAll(ids.Select(id => redis.Database.KeyExistsAsync(RedisBackend.Keys.Session(id))));
        return !exist.Contains(true);
    }

    private Task<Dictionary<string, long>> CommandsAsync(Dictionary<string, long>? since = null, bool countInfo = false) =>
        CommandsAsync(redis.Database, since, countInfo);

    /// <summary>How often each command was run, also by scripts.</summary>
    internal static async Task<Dictionary<string, long>> CommandsAsync(IDatabase database, Dictionary<string, long>? since = null, bool countInfo = false)
    {
        var stats = ((string?)await database.ExecuteAsync("INFO", "commandstats"))!;
        var counts = stats.Split("\r\n")
            .Where(line => line.StartsWith("cmdstat_", StringComparison.Ordinal))
            .Select(line => line["cmdstat_".Length..].Split(":calls="))
            .ToDictionary(pair => pair[0], pair => long.Parse(pair[1].Split(',')[0]));
        if (since is null)
            return counts;

        // The client's own heartbeats and these reads are not the backend's.
        string[] others = ["info", "ping", "config|get", "client|setname", "client|setinfo", "cluster|nodes", "get", "echo", "subscribe", "unsubscribe", "select"];
        return counts
            .Select(pair => (pair.Key, Count: pair.Value - since.GetValueOrDefault(pair.Key)))
            .Where(pair => pair.Count > 0 && (!others.Contains(pair.Key) || (countInfo && pair.Key == "info")))
            .ToDictionary(pair => pair.Key, pair => pair.Count);
    }

    private static async Task<HashSet<long>> SlotsAsync(RedisClient client, RedisKey[] keys)
    {
        var slots = new HashSet<long>();
        foreach (var key in keys)
            slots.Add((long)await client.Database.ExecuteAsync("CLUSTER", "KEYSLOT", key.ToString()));
        return slots;
    }

    private static async Task<ClusterNode> ClusterNodeAsync()
    {
        var server = new RedisServer("--cluster-enabled", "yes");
        await server.InitializeAsync();
        return new(server);
    }

    private sealed class Self : ISelfReplica
    {
        private readonly ReplicaInfo _replica = Replica();

        public string Id => _replica.Id;

        public ReplicaInfo? Describe() => _replica;
    }

    private sealed class ClusterNode(RedisServer server) : IAsyncDisposable
    {
        public RedisServer Server => server;

        public async ValueTask DisposeAsync() => await server.DisposeAsync();
    }
}

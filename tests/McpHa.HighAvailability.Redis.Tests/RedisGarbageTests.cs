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

/// <summary>What becomes of a Redis that forgets its scripts, or holds garbage.</summary>
[Collection(RedisCollection.Name)]
public sealed class RedisGarbageTests(RedisBackend redis)
{
    [Fact]
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

    [Theory]
    [InlineData(0, "hash")]
    [InlineData(1, "list")]
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

        Assert.Contains($"'{key}' holds a string instead of a {type}", fault.Message, StringComparison.Ordinal);
        Assert.Equal(CommitResult.Committed, await store.CommitAsync(good, commit));
        if (index < 3)
            await Assert.ThrowsAsync<InvalidDataException>(async () => await store.TakeOverAsync(bad, 1, "b"));
        Assert.IsType<TakeOver.Taken>(await store.TakeOverAsync(good, 1, "b"));
    }

    [Theory]
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

    [Fact]
    public async Task A_hash_of_the_whole_cluster_that_has_become_something_else_is_named_and_is_used_again_when_that_is_gone()
    {
        RedisServer.SkipIfMissing();
        var connection = redis.Connection();
        var registry = new RedisReplicaRegistry(connection, NullLogger<RedisReplicaRegistry>.Instance);
        var keys = new RedisXmlRepository(connection, NullLogger<RedisXmlRepository>.Instance);
        foreach (var (key, use) in (IEnumerable<(RedisKey, Func<Task>)>)
            [(RedisBackend.Keys.Replicas, async () => await registry.BeatAsync(Replica())),
             (RedisBackend.Keys.DataProtection, () =>
             {
                 keys.StoreElement(new("key"), "key-a");
                 return Task.CompletedTask;
             })])
        {
            await redis.Database.KeyDeleteAsync(key);
            await redis.Database.StringSetAsync(key, "garbage");

            var fault = await Assert.ThrowsAsync<InvalidDataException>(use);

            Assert.Contains($"'{key}' holds a string instead of a hash", fault.Message, StringComparison.Ordinal);
            await redis.Database.KeyDeleteAsync(key);
            await use();
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_handle_of_the_wrong_type_is_named_and_other_handles_go_on(bool applied)
    {
        RedisServer.SkipIfMissing();
        var store = new RedisStateHandleStore(redis.Connection(), Options.Create(new StateHandleOptions()));
        var (bad, good) = (NewId(), NewId());
        await store.CreateAsync(bad, "");
        await store.CreateAsync(good, "");
        var key = applied ? RedisBackend.Keys.Applied(bad) : RedisBackend.Keys.Handle(bad);
        await redis.Database.KeyDeleteAsync(key);
        await redis.Database.StringSetAsync(key, "garbage");

        var fault = await Assert.ThrowsAsync<InvalidDataException>(async () => await store.CommitAsync(bad, 0, [Set("k", "v")], "call", default));

        Assert.Contains($"'{key}' holds a string instead of a hash", fault.Message, StringComparison.Ordinal);
        if (!applied)
            await Assert.ThrowsAsync<InvalidDataException>(async () => await store.ReadAsync(bad));
        Assert.IsType<StateHandleCommit.Committed>(await store.CommitAsync(good, 0, [Set("k", "v")], "call", default));
    }

    [Theory]
    [InlineData("version", "x")]
    [InlineData("version", "-1")]
    [InlineData("version", "")]
    public async Task A_handle_with_a_garbage_version_is_named(string field, string value)
    {
        RedisServer.SkipIfMissing();
        var store = new RedisStateHandleStore(redis.Connection(), Options.Create(new StateHandleOptions()));
        var handle = NewId();
        await store.CreateAsync(handle, "");
        await redis.Database.HashSetAsync(RedisBackend.Keys.Handle(handle), field, value);

        var fault = await Assert.ThrowsAsync<InvalidDataException>(async () => await store.ReadAsync(handle));

        Assert.Contains($"'{RedisBackend.Keys.Handle(handle)}'", fault.Message, StringComparison.Ordinal);
        var refused = await Xunit.Record.ExceptionAsync(async () => Assert.IsNotType<StateHandleCommit.Committed>(await store.CommitAsync(handle, 0, [Set("k", "v")], "call", default)));
        Assert.True(refused is null or InvalidDataException, $"{refused}");
    }

    [Fact]
    public async Task A_foreign_hash_under_the_key_of_a_session_is_no_session()
    {
        var store = redis.Store();
        var id = NewId();
        await redis.Database.HashSetAsync(RedisBackend.Keys.Session(id), "colour", "red");

        Assert.Null(await store.FindAsync(id));
        await Assert.ThrowsAsync<InvalidDataException>(async () => await store.CommitAsync(id, Commit(1)));
        await Assert.ThrowsAsync<InvalidDataException>(async () => await store.TakeOverAsync(id, 1, "b"));
        await Assert.ThrowsAsync<InvalidDataException>(async () => await store.WriteBackAsync(new(SessionSamples.Record(id), new Dictionary<string, ReadOnlyMemory<byte>>(), []), new Dictionary<string, ReadOnlyMemory<byte>>()));
        Assert.False(await store.CreateAsync(SessionSamples.Record(id)));
    }
}

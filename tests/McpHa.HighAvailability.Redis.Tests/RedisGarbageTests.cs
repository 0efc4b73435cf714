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

/// <summary>What becomes of a Redis that forgets its scripts, or holds garbage.</summary>
[Collection(RedisCollection.Name)]
public sealed class RedisGarbageTests(RedisBackend redis)
{
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
}

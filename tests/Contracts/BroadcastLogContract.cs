using System.Collections.Concurrent;
using Mcp.HighAvailability.Protocol;
using Mcp.HighAvailability.Storage;
using static McpHa.Tests.SessionSamples;

namespace McpHa.Tests;

/// <summary>What every <see cref="IBroadcastLog"/> does.</summary>
public abstract class BroadcastLogContract
{
    /// <summary>A log without entries, and the bus that it pushes to.</summary>
    protected abstract Task<(IBroadcastLog Log, IEventBus Bus)> EmptyAsync(BroadcastOptions? options = null);

    /// <summary>The store loses everything.</summary>
    protected abstract Task WipeAsync();

    /// <summary>The store loses the newest entry, as if a replica that lagged was promoted.</summary>
    protected abstract Task LoseNewestAsync();

    [Fact]
    public async Task Numbers_ascend_by_one_and_readers_get_what_is_behind_their_position()
    {
        var (log, _) = await EmptyAsync();
        Assert.Equal(new BroadcastPage(BroadcastPosition.None, []), await log.ReadAsync(default), SamePage);

        var one = await AppendAsync(log, "one");
        var two = await AppendAsync(log, "two");
        var three = await AppendAsync(log, "three");

        Assert.Equal([1, 2, 3], new[] { one, two, three }.Select(entry => entry.Position.Number));
        Assert.Single(new[] { one, two, three }.Select(entry => entry.Position.Incarnation).Distinct());
        Assert.Equal([BroadcastPosition.None, one.Position, two.Position], new[] { one, two, three }.Select(entry => entry.Previous));
        Assert.Equal(["one", "two", "three"], await TextsAsync(log, default));
        Assert.Equal(["three"], await TextsAsync(log, two.Position));
        Assert.Empty(await TextsAsync(log, three.Position));
        Assert.Equal(three.Position, (await log.ReadAsync(three.Position)).Head);
        Assert.Equal(["one", "two", "three"], await TextsAsync(log, new(one.Position.Incarnation + 1, 2)));
    }

    [Fact]
    public async Task An_entry_comes_back_as_it_was_appended_and_with_the_time_of_the_store()
    {
        var (log, _) = await EmptyAsync();
        byte[] payload = [0, 10, 13, 32, 255, 128, 10];
        var before = DateTimeOffset.UtcNow.AddSeconds(-5);

        var appended = await log.AppendAsync(new() { Kind = "event:order.placed", Id = "a/b:c+d=", Payload = payload }, default);
        var read = Assert.Single((await log.ReadAsync(default)).Entries);

        Assert.Equal(("event:order.placed", "a/b:c+d="), (read.Kind, read.Id));
        Assert.Equal(payload, read.Payload.ToArray());
        Assert.InRange(read.Time, before, DateTimeOffset.UtcNow.AddSeconds(5));
        Assert.Equal((read.Position, read.Previous, read.Time), (appended!.Position, appended.Previous, appended.Time));
    }

    [Fact]
    public async Task An_id_is_taken_once_as_long_as_its_entry_is_kept()
    {
        var (log, _) = await EmptyAsync(new() { MaxEntries = 2 });
        await AppendAsync(log, "one", id: "same");

        Assert.Null(await log.AppendAsync(Publication("again", "same"), default));
        await AppendAsync(log, "two");
        Assert.Null(await log.AppendAsync(Publication("again", "same"), default));
        await AppendAsync(log, "three");
        await AppendAsync(log, "once more", id: "same");

        Assert.Equal(["three", "once more"], await TextsAsync(log, default));
    }

    [Fact]
    public async Task The_oldest_go_beyond_the_bounds_of_count_and_bytes_and_the_newest_stays()
    {
        var (log, _) = await EmptyAsync(new() { MaxEntries = 3, MaxBytes = 2_048, MaxPayload = 4_096 });
        for (var n = 1; n <= 5; n++)
            await AppendAsync(log, $"{n}");
        Assert.Equal(["3", "4", "5"], await TextsAsync(log, default));

        await AppendAsync(log, new string('x', 1_500));
        Assert.Equal([1, 1, 1_500], (await TextsAsync(log, default)).Select(text => text.Length));
        await AppendAsync(log, new string('y', 4_000));
        Assert.Equal([4_000], (await TextsAsync(log, default)).Select(text => text.Length));
        await AppendAsync(log, "small");
        Assert.Equal(["small"], await TextsAsync(log, default));
        await AppendAsync(log, "smaller");

        Assert.Equal(["small", "smaller"], await TextsAsync(log, default));
        await Assert.ThrowsAsync<ArgumentException>(() => AppendAsync(log, new string('z', 5_000)));
    }

    [Fact]
    public async Task What_is_too_old_goes_with_the_next_broadcast()
    {
        var (log, _) = await EmptyAsync(new() { MaxAge = TimeSpan.FromMilliseconds(1) });
        var first = await AppendAsync(log, "first");
        Assert.Equal(["first"], await TextsAsync(log, default));

        // By the store's clock, which only an append shows.
        await Wait.UntilAsync(async () => (await AppendAsync(log, "next")).Time > first.Time.AddMilliseconds(2), "the first one to be old");

        Assert.DoesNotContain("first", await TextsAsync(log, default));
    }

    [Fact]
    public async Task Every_append_is_pushed_in_the_order_of_the_log()
    {
        var (log, bus) = await EmptyAsync();
        var pushed = new ConcurrentQueue<BroadcastEntry>();
        await using var subscription = await bus.SubscribeAsync(IBroadcastLog.Topic, payload =>
        {
            Assert.True(BroadcastEntry.TryRead(payload, out var entry));
            pushed.Enqueue(entry);
            return ValueTask.CompletedTask;
        });

        await Task.WhenAll(Enumerable.Range(0, 8).Select(async publisher =>
        {
            for (var n = 0; n < 50; n++)
                await AppendAsync(log, $"{publisher}-{n}");
        }));

        await Wait.UntilAsync(() => pushed.Count == 400, "all pushes");
        var entries = (await log.ReadAsync(default)).Entries;
        Assert.Equal(Enumerable.Range(1, 400).Select(n => (long)n), entries.Select(entry => entry.Position.Number));
        Assert.Equal(entries.Select(entry => (entry.Position, Text(entry.Payload))), pushed.Select(entry => (entry.Position, Text(entry.Payload))));
    }

    [Fact]
    public async Task A_log_that_has_lost_everything_goes_on_behind_what_its_caller_knows_in_another_incarnation()
    {
        var (log, _) = await EmptyAsync();
        await AppendAsync(log, "one");
        var two = await AppendAsync(log, "two");

        await WipeAsync();

        Assert.Equal(BroadcastPosition.None, (await log.ReadAsync(two.Position)).Head);
        var three = await log.AppendAsync(Publication("three"), two.Position);
        Assert.InRange(three!.Position.Incarnation, two.Position.Incarnation + 1, long.MaxValue);
        Assert.Equal((3, two.Position), (three.Position.Number, three.Previous));
        Assert.Equal(["three"], await TextsAsync(log, two.Position));
        Assert.Equal(["four"], [Text((await AppendAsync(log, "four")).Payload)]);
        Assert.Equal(["four"], await TextsAsync(log, three.Position));
    }

    [Fact]
    public async Task A_log_that_has_lost_everything_and_is_told_nothing_begins_another_incarnation()
    {
        var (log, _) = await EmptyAsync();
        var before = await AppendAsync(log, "before");

        for (var losses = 0; losses < 5; losses++)
        {
            await WipeAsync();
            var after = await AppendAsync(log, "after");

            Assert.InRange(after.Position.Incarnation, before.Position.Incarnation + 1, long.MaxValue);
            Assert.True(after.Previous.IsNone);
            Assert.Equal(["after"], await TextsAsync(log, before.Position));
            before = after;
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_log_that_is_behind_its_caller_gives_no_position_twice(bool isRead)
    {
        var (log, _) = await EmptyAsync();
        var one = await AppendAsync(log, "one");
        var lost = await AppendAsync(log, "lost");

        await LoseNewestAsync();
        var head = isRead ? (await log.ReadAsync(lost.Position)).Head : lost.Position;
        var next = await log.AppendAsync(Publication("next"), head);

        Assert.InRange(next!.Position.Incarnation, lost.Position.Incarnation + 1, long.MaxValue);
        Assert.Equal(one.Position, next.Previous);
        Assert.Equal(["next"], (await TextsAsync(log, lost.Position)).Except(["one"]));
        Assert.Equal(["next"], await TextsAsync(log, one.Position));
        Assert.Empty(await TextsAsync(log, next.Position));
        Assert.Equal(["last"], [Text((await log.AppendAsync(Publication("last"), next.Position))!.Payload)]);
        Assert.Equal(["last"], await TextsAsync(log, next.Position));
    }

    [Theory]
    [InlineData("", "id")]
    [InlineData("two words", "id")]
    [InlineData("kind", "")]
    [InlineData("kind", "a\nb")]
    public async Task Kinds_and_ids_that_would_break_an_entry_are_refused(string kind, string id)
    {
        var (log, _) = await EmptyAsync();

        await Assert.ThrowsAsync<ArgumentException>(() => log.AppendAsync(new() { Kind = kind, Id = id, Payload = Utf8("x") }, default).AsTask());
    }

    private static readonly IEqualityComparer<BroadcastPage> SamePage =
        EqualityComparer<BroadcastPage>.Create((a, b) => a!.Head == b!.Head && a.Entries.SequenceEqual(b.Entries));

    private static BroadcastPublication Publication(string text, string? id = null) =>
        new() { Kind = BroadcastKinds.Notification, Id = id ?? Guid.NewGuid().ToString("N"), Payload = Utf8(text) };

    private static async Task<BroadcastEntry> AppendAsync(IBroadcastLog log, string text, string? id = null) =>
        await log.AppendAsync(Publication(text, id), default) ?? throw new InvalidOperationException($"'{text}' was not appended.");

    private static async Task<string[]> TextsAsync(IBroadcastLog log, BroadcastPosition known) =>
        [.. (await log.ReadAsync(known)).Entries.Select(entry => Text(entry.Payload))];
}

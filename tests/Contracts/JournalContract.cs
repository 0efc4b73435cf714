using System.Diagnostics.Metrics;
using Mcp.HighAvailability.Diagnostics;
using Mcp.HighAvailability.Storage;
using static McpHa.Tests.SessionSamples;

namespace McpHa.Tests;

/// <summary>What every <see cref="ISessionJournal"/> reads back, and how journals are bounded.</summary>
public abstract class JournalContract
{
    private readonly Meter _meter = new("contract");

    private protected JournalContract() => Metrics = new(_meter);

    /// <summary>What the store counts with.</summary>
    private protected SessionMetrics Metrics { get; }

    protected abstract (ISessionStore Store, ISessionJournal Journal) Backend(SessionStoreOptions? options = null);

    [Fact]
    public async Task A_stream_is_read_alone_in_order_and_above_a_position()
    {
        var (store, journal) = Backend();
        var id = await CreatedAsync(store);
        await store.CommitAsync(id, Commit(1, 1, Entry(1, "a", "1"), Entry(2, "b", "2"), Entry(3, "a", "3", previous: 1)));
        await store.CommitAsync(id, Commit(2, 1, Entry(7, "a", "7", previous: 3) with { Answers = "call" }));

        Assert.Equal(["1", "3", "7"], (await ReadAsync(journal, id, "a", 0)).Select(entry => Text(entry.Payload)));
        var entry = Assert.Single(await ReadAsync(journal, id, "a", 3));
        Assert.Equal((7L, "a", 3L, "call", Now), (entry.Position, entry.Stream, entry.Previous, entry.Answers, entry.Time));
        Assert.Empty(await ReadAsync(journal, id, "a", 7));
        Assert.Empty(await ReadAsync(journal, id, "c", 0));
    }

    [Fact]
    public async Task All_streams_are_read_together_in_order_and_above_a_position()
    {
        var (store, journal) = Backend();
        var id = await CreatedAsync(store);
        await store.CommitAsync(id, Commit(1, 1, [.. Enumerable.Range(1, 600).Select(n => Entry(n, n % 3 == 0 ? "a" : "b"))]));

        Assert.Equal(Enumerable.Range(101, 500).Select(n => (long)n), (await ReadAsync(journal, id, "", 100)).Select(entry => entry.Position));
    }

    [Fact]
    public async Task The_journal_of_an_unknown_session_is_empty()
    {
        var (_, journal) = Backend();

        Assert.Empty(await ReadAsync(journal, NewId(), "a", 0));
    }

    [Fact]
    public async Task A_long_journal_is_read_whole_and_only_once()
    {
        var (store, journal) = Backend();
        var id = await CreatedAsync(store);
        var entries = Enumerable.Range(1, 900).Select(n => Entry(n, n % 3 == 0 ? "a" : "b", n.ToString())).ToArray();
        await store.CommitAsync(id, Commit(1, 1, entries));

        var read = await ReadAsync(journal, id, "a", 150);

        Assert.Equal(entries.Where(entry => entry.Stream == "a" && entry.Position > 150).Select(entry => entry.Position), read.Select(entry => entry.Position));
    }

    [Fact]
    public async Task Removed_positions_are_gone_and_the_others_stay()
    {
        var (store, journal) = Backend();
        var id = await CreatedAsync(store);
        await store.CommitAsync(id, Commit(1, 1, Entry(1, "a"), Entry(2, "a"), Entry(3, "a")));
        await store.CommitAsync(id, new() { Epoch = 1, Number = 2, LastPosition = 4, Append = [Entry(4, "b")], Remove = [2, 99] });

        Assert.Equal([1, 3], await PositionsAsync(journal, id, "a"));
        Assert.Equal([4], await PositionsAsync(journal, id, "b"));
    }

    [Fact]
    public async Task Scattered_positions_are_removed_from_a_long_journal_with_gaps()
    {
        var (store, journal) = Backend(new() { JournalEntries = 5_000 });
        var id = await CreatedAsync(store);
        var positions = Enumerable.Range(1, 2_500).Select(n => 3L * n).ToArray();
        await store.CommitAsync(id, Commit(1, 1, [.. positions.Select(position => Entry(position, "a"))]));
        long[] removed = [3, 6, 9, 4_500, 10, 3_000, 7_500, 4_500, 8_000];

        await store.CommitAsync(id, new() { Epoch = 1, Number = 2, LastPosition = 7_501, Append = [Entry(7_501, "a")], Remove = removed });

        Assert.Equal([.. positions.Except(removed), 7_501], await PositionsAsync(journal, id, "a"));
        Assert.Equal([6_999, 7_002], (await ReadAsync(journal, id, "a", 6_996)).Take(2).Select(entry => entry.Position));
    }

    [Fact]
    public async Task The_key_of_an_answered_call_may_be_any_text()
    {
        var (store, journal) = Backend();
        var id = await CreatedAsync(store);
        string[] answers = ["", " 1 2 ", "ü\n\0\"x\"", "12 "];
        await store.CommitAsync(id, Commit(1, 1, [.. answers.Select((text, n) => Entry(n + 1, "a", $" {n}") with { Answers = text })]));

        Assert.Equal(
            answers.Select((text, n) => (text, $" {n}")),
            (await ReadAsync(journal, id, "a", 0)).Select(entry => (entry.Answers, Text(entry.Payload))));
    }

    [Fact]
    public async Task Above_the_bound_on_entries_the_oldest_go_and_the_gap_shows()
    {
        long trimmed = 0;
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, listener) =>
            {
                if (instrument.Meter == _meter && instrument.Name == "mcp.ha.events.trimmed")
                    listener.EnableMeasurementEvents(instrument);
            },
        };
        listener.SetMeasurementEventCallback<long>((_, value, _, _) => trimmed += value);
        listener.Start();
        var (store, journal) = Backend(new() { JournalEntries = 3 });
        var id = await CreatedAsync(store);
        for (var n = 1; n <= 5; n++)
            await store.CommitAsync(id, Commit(n, 1, Entry(n, "a", previous: n - 1)));

        var kept = await ReadAsync(journal, id, "a", 0);

        Assert.Equal(2, trimmed);
        Assert.Equal([3, 4, 5], kept.Select(entry => entry.Position));
        Assert.Equal(2, kept[0].Previous);
    }

    [Fact]
    public async Task A_full_journal_never_holds_more_than_its_bound_and_always_the_newest()
    {
        var (store, journal) = Backend(new() { JournalEntries = 32 });
        var id = await CreatedAsync(store);
        for (var n = 1; n <= 100; n++)
        {
            await store.CommitAsync(id, Commit(n, 1, Entry(n, "a")));
            var kept = await PositionsAsync(journal, id, "a");
            Assert.InRange(kept.Count, Math.Min(n, 30), 32);
            Assert.Equal(Enumerable.Range(n - kept.Count + 1, kept.Count).Select(position => (long)position), kept);
        }
    }

    [Fact]
    public async Task Above_the_bound_on_bytes_the_oldest_go_but_never_the_newest()
    {
        var (store, journal) = Backend(new() { JournalBytes = 100 });
        var id = await CreatedAsync(store);
        await store.CommitAsync(id, Commit(1, 1, Entry(1, "a", new('x', 40)), Entry(2, "a", new('x', 40)), Entry(3, "a", new('x', 40))));
        Assert.Equal([2, 3], await PositionsAsync(journal, id, "a"));

        await store.CommitAsync(id, Commit(2, 1, Entry(4, "a", new('x', 500))));
        Assert.Equal([4], await PositionsAsync(journal, id, "a"));

        await store.CommitAsync(id, Commit(3, 1, Entry(5, "a", "small")));
        Assert.Equal([5], await PositionsAsync(journal, id, "a"));
    }

    [Theory]
    [InlineData(4, 1_000_000)]
    [InlineData(1_000, 100)]
    public async Task What_no_client_has_read_stays_while_anything_else_can_go(int entries, long bytes)
    {
        var (store, journal) = Backend(new() { JournalEntries = entries, JournalBytes = bytes });
        var id = await CreatedAsync(store);
        await store.CommitAsync(id, Commit(1, 1, Entry(1, "a", new('x', 40)), Entry(2, "b", new('x', 40))));
        for (var n = 3; n <= 40; n++)
        {
            await store.CommitAsync(id, new() { Epoch = 1, Number = n - 1, LastPosition = n, Append = [Entry(n, "b", new('x', 40))], Unread = [1] });
            Assert.Equal([1], await PositionsAsync(journal, id, "a"));
        }

        Assert.Equal(40, (await PositionsAsync(journal, id, "b"))[^1]);
        Assert.InRange((await PositionsAsync(journal, id, "b")).Count, 1, 3);
        await store.CommitAsync(id, new() { Epoch = 1, Number = 40, LastPosition = 42, Append = [Entry(41, "b", new('x', 40)), Entry(42, "b", new('x', 40))] });
        Assert.Empty(await PositionsAsync(journal, id, "a"));
    }

    [Fact]
    public async Task What_no_client_has_read_may_exceed_the_bounds()
    {
        var (store, journal) = Backend(new() { JournalEntries = 3 });
        var id = await CreatedAsync(store);
        var all = Enumerable.Range(1, 50).Select(n => Entry(n, "a")).ToArray();
        await store.CommitAsync(id, new() { Epoch = 1, Number = 1, LastPosition = 50, Append = all, Unread = [.. all.Select(e => e.Position)] });

        Assert.Equal(50, (await PositionsAsync(journal, id, "a")).Count);
    }

    [Fact]
    public async Task Bytes_that_were_removed_or_trimmed_count_no_longer()
    {
        var (store, journal) = Backend(new() { JournalBytes = 100 });
        var id = await CreatedAsync(store);
        await store.CommitAsync(id, Commit(1, 1, Entry(1, "a", new('x', 90)), Entry(2, "a", new('x', 5))));
        await store.CommitAsync(id, new() { Epoch = 1, Number = 2, LastPosition = 3, Append = [Entry(3, "a", new('x', 80))], Remove = [1] });

        Assert.Equal([2, 3], await PositionsAsync(journal, id, "a"));
    }

    [Fact]
    public async Task A_touch_removes_entries_that_are_too_old_but_never_the_newest()
    {
        var (store, journal) = Backend(new() { JournalAge = TimeSpan.FromMinutes(10) });
        var id = await CreatedAsync(store);
        var old = DateTimeOffset.UtcNow.AddMinutes(-11);
        await store.CommitAsync(id, Commit(1, 1, [.. Enumerable.Range(1, 40).Select(n => Entry(n, "a", time: old)), Entry(41, "a")]));
        Assert.Equal(41, (await PositionsAsync(journal, id, "a")).Count);

        await store.CommitAsync(id, new() { Epoch = 1, Number = 2, LastPosition = 41, Touch = true });
        Assert.Equal([41], await PositionsAsync(journal, id, "a"));

        await store.CommitAsync(id, new() { Epoch = 1, Number = 3, LastPosition = 43, Append = [Entry(42, "a", time: old), Entry(43, "a", time: old)], Touch = true });
        Assert.Equal([41, 42, 43], await PositionsAsync(journal, id, "a"));
        await store.CommitAsync(id, new() { Epoch = 1, Number = 4, LastPosition = 43, Remove = [41], Touch = true });
        Assert.Equal([43], await PositionsAsync(journal, id, "a"));
    }

    private static async Task<string> CreatedAsync(ISessionStore store)
    {
        var id = NewId();
        Assert.True(await store.CreateAsync(Record(id)));
        return id;
    }

    private static async Task<JournalEntry[]> ReadAsync(ISessionJournal journal, string id, string stream, long after)
    {
        var entries = new List<JournalEntry>();
        await foreach (var entry in journal.ReadAsync(id, stream, after))
            entries.Add(entry);
        return [.. entries];
    }

    private static async Task<List<long>> PositionsAsync(ISessionJournal journal, string id, string stream) =>
        [.. (await ReadAsync(journal, id, stream, 0)).Select(entry => entry.Position)];
}

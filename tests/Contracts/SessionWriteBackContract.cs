using Mcp.HighAvailability.Sessions;
using Mcp.HighAvailability.Storage;
using static McpHa.Tests.SessionSamples;

namespace McpHa.Tests;

/// <summary>What becomes of a session that an <see cref="ISessionStore"/> has lost, wholly or in part, and that its owner writes back.</summary>
public abstract class SessionWriteBackContract
{
    protected abstract ISessionStore Store();

    /// <summary>Makes the backend lose all of its data.</summary>
    protected abstract Task WipeAsync();

    [Fact]
    public async Task A_wiped_store_answers_lost_and_takes_the_session_back()
    {
        var store = Store();
        var id = await CreatedAsync(store);
        await store.CommitAsync(id, new() { Epoch = 1, Number = 1, LastPosition = 4, Append = [Entry(1, payload: "one"), Entry(4, payload: "four", previous: 1)], Calls = [Set("s1", "call")], State = [Set("k", "v")] });
        var snapshot = await SnapshotAsync(store, id);
        var state = await store.ReadStateAsync(id);
        await WipeAsync();

        Assert.Equal(CommitResult.Lost, await store.CommitAsync(id, Commit(2, 2, Entry(5))));
        Assert.Equal(CommitResult.Committed, await store.WriteBackAsync(snapshot, state));
        Assert.Equal(CommitResult.Committed, await store.WriteBackAsync(snapshot, state));
        Assert.Equal(CommitResult.Committed, await store.CommitAsync(id, Commit(2, 2, Entry(5, payload: "five"))));

        var (record, calls, journal) = Assert.IsType<TakeOver.Taken>(await store.TakeOverAsync(id, 2, "c")).Snapshot;
        Assert.Equal((3L, 5L, 2L), (record.Epoch, record.LastPosition, record.LastCommit));
        Assert.Equal(Texts(snapshot.Record.Handshake), Texts(record.Handshake));
        Assert.Equal(["one", "four", "five"], journal.Select(entry => Text(entry.Payload)));
        Assert.Equal(new() { ["s1"] = "call" }, Texts(calls));
        Assert.Equal(new() { ["k"] = "v" }, Texts(await store.ReadStateAsync(id)));
    }

    [Fact]
    public async Task A_write_back_without_a_journal_keeps_the_entries_that_the_store_still_has()
    {
        var store = Store();
        var id = await CreatedAsync(store);
        await store.CommitAsync(id, new() { Epoch = 1, Number = 1, LastPosition = 1, Append = [Entry(1, payload: "kept")], Calls = [Set("old", "call")] });

        // The store missed commits 2 and 3, as after a failover to a copy that lags.
        Assert.Equal(CommitResult.Lost, await store.CommitAsync(id, Commit(4, 1, Entry(4))));
        var whole = new SessionSnapshot(Record(id) with { LastCommit = 3, LastPosition = 3 }, new Dictionary<string, ReadOnlyMemory<byte>> { ["new"] = Utf8("call") }, []);
        Assert.Equal(CommitResult.Committed, await store.WriteBackAsync(whole, NoState));
        Assert.Equal(CommitResult.Committed, await store.CommitAsync(id, Commit(4, 1, Entry(4, payload: "next"))));

        var snapshot = await SnapshotAsync(store, id);
        Assert.Equal(["kept", "next"], snapshot.Journal.Select(entry => Text(entry.Payload)));
        Assert.Equal(new() { ["new"] = "call" }, Texts(snapshot.Calls));
    }

    [Fact]
    public async Task A_write_back_adds_to_the_journal_that_is_left_what_lies_behind_it_and_takes_out_what_was_moved_since()
    {
        var store = Store();
        var id = await CreatedAsync(store);
        await store.CommitAsync(id, Commit(1, 1, Entry(1, payload: "read"), Entry(2, "w", "moved"), Entry(3, "w", "waits"), Entry(4, payload: "both")));

        // The store missed commit 2, which moved an entry and appended another one.
        var whole = new SessionSnapshot(
            Record(id) with { LastCommit = 2, LastPosition = 6 },
            NoState,
            [Entry(3, "w", "waits"), Entry(4, payload: "both"), Entry(5, "g1x1", "moved"), Entry(6, payload: "new")]);
        Assert.Equal(CommitResult.Committed, await store.WriteBackAsync(whole, NoState));
        Assert.Equal(CommitResult.Committed, await store.CommitAsync(id, Commit(3, 1, Entry(7, payload: "next"))));

        Assert.Equal(
            [(1, "read"), (3, "waits"), (4, "both"), (5, "moved"), (6, "new"), (7, "next")],
            (await SnapshotAsync(store, id)).Journal.Select(entry => ((int)entry.Position, Text(entry.Payload))));
    }

    [Fact]
    public async Task A_write_back_of_an_older_epoch_or_of_another_owner_is_fenced()
    {
        var store = Store();
        var id = await CreatedAsync(store);
        var older = new SessionSnapshot(Record(id), NoState, []);
        await store.TakeOverAsync(id, 1, "b");

        Assert.Equal(CommitResult.Fenced, await store.WriteBackAsync(older, NoState));
        Assert.Equal(CommitResult.Fenced, await store.WriteBackAsync(older with { Record = older.Record with { Epoch = 2, Owner = "x" } }, NoState));
        Assert.Equal(("b", 2L), (await store.FindAsync(id)) is { } found ? (found.Owner, found.Epoch) : default);
    }

    [Fact]
    public async Task A_write_back_replaces_what_is_older_and_leaves_alone_what_is_not()
    {
        var store = Store();
        var id = await CreatedAsync(store);
        await store.CommitAsync(id, Commit(1, 1, Entry(1, payload: "old")));
        var newer = new SessionSnapshot(Record(id) with { LastCommit = 5, LastPosition = 9 }, NoState, [Entry(8, payload: "new")]);

        Assert.Equal(CommitResult.Committed, await store.WriteBackAsync(newer, new Dictionary<string, ReadOnlyMemory<byte>> { ["k"] = Utf8("v") }));
        Assert.Equal(CommitResult.Committed, await store.CommitAsync(id, Commit(6, 1, Entry(10, payload: "next"))));
        Assert.Equal(CommitResult.Committed, await store.WriteBackAsync(newer, NoState));

        Assert.Equal(new() { ["k"] = "v" }, Texts(await store.ReadStateAsync(id)));
        Assert.Equal(["old", "new", "next"], (await SnapshotAsync(store, id)).Journal.Select(entry => Text(entry.Payload)));
        Assert.Equal(CommitResult.Committed, await store.WriteBackAsync(newer with { Record = newer.Record with { Owner = "z", Epoch = 7 } }, NoState));
        Assert.Equal(("z", 7L), (await store.FindAsync(id)) is { } found ? (found.Owner, found.Epoch) : default);
    }
}

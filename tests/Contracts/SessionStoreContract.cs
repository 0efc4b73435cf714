using McpHa.HighAvailability.Sessions;
using static McpHa.Tests.SessionSamples;

namespace McpHa.Tests;

/// <summary>What every <see cref="ISessionStore"/> does.</summary>
public abstract class SessionStoreContract
{
    protected abstract ISessionStore Store(SessionStoreOptions? options = null);

    /// <summary>Makes the backend lose all of its data.</summary>
    protected abstract Task WipeAsync();

    [SkippableFact]
    public async Task A_created_session_is_found_as_it_was_written()
    {
        var store = Store();
        var record = Record(NewId());

        Assert.True(await store.CreateAsync(record));

        var found = await store.FindAsync(record.Id);
        Assert.NotNull(found);
        Assert.Equal(Texts(record.Handshake), Texts(found.Handshake));
        Assert.Equal(record, found with { Handshake = record.Handshake });
    }

    [SkippableFact]
    public async Task An_id_is_given_to_one_session_only_and_a_repeated_creation_succeeds()
    {
        var store = Store();
        var record = Record(NewId());

        Assert.True(await store.CreateAsync(record));
        Assert.True(await store.CreateAsync(record));
        Assert.False(await store.CreateAsync(record with { Owner = "b" }));
        Assert.False(await store.CreateAsync(record with { Created = record.Created.AddTicks(1) }));
        Assert.Equal("a", (await store.FindAsync(record.Id))!.Owner);
    }

    [SkippableFact]
    public async Task An_unknown_session_is_not_found_not_taken_over_and_lost_to_its_writer()
    {
        var store = Store();
        var id = NewId();

        Assert.Null(await store.FindAsync(id));
        Assert.IsType<TakeOver.Unknown>(await store.TakeOverAsync(id, 1, "b"));
        Assert.Equal(CommitResult.Lost, await store.CommitAsync(id, Commit(1)));
        Assert.Equal(CommitResult.Lost, await store.ReleaseAsync(id, 1));
        Assert.Equal(CommitResult.Lost, await store.EndAsync(id, 1));
        Assert.Empty(await store.ReadStateAsync(id));
    }

    [SkippableFact]
    public async Task A_take_over_makes_the_epoch_one_larger_and_reads_the_whole_session()
    {
        var store = Store();
        var id = await CreatedAsync(store);
        await store.CommitAsync(id, new()
        {
            Epoch = 1,
            Number = 1,
            LastPosition = 3,
            Append = [Entry(1, "s1", "one"), Entry(2, "s2", "two") with { Answers = "key" }],
            Calls = [Set("s1", "call")],
            Handshake = [Set(HandshakeKeys.LogLevel, "debug"), Set("sub:x://y", "subscribe")],
        });

        var taken = Assert.IsType<TakeOver.Taken>(await store.TakeOverAsync(id, 1, "b")).Snapshot;

        Assert.Equal(("b", 2L, 3L, 1L), (taken.Record.Owner, taken.Record.Epoch, taken.Record.LastPosition, taken.Record.LastCommit));
        Assert.Equal(["initialize", "level", "sub:x://y"], taken.Record.Handshake.Keys.Order());
        Assert.Equal("call", Text(taken.Calls["s1"]));
        Assert.Equal([(1L, "s1", "", "one"), (2L, "s2", "key", "two")], taken.Journal.Select(entry => (entry.Position, entry.Stream, entry.Answers, Text(entry.Payload))));
        Assert.All(taken.Journal, entry => Assert.Equal(Now, entry.Time));
        Assert.Equal(2, (await store.FindAsync(id))!.Epoch);
    }

    [SkippableFact]
    public async Task A_take_over_from_an_epoch_that_has_passed_is_refused_with_the_current_record()
    {
        var store = Store();
        var id = await CreatedAsync(store);
        await store.TakeOverAsync(id, 1, "b");

        var refused = Assert.IsType<TakeOver.Refused>(await store.TakeOverAsync(id, 1, "c"));

        Assert.Equal(("b", 2L), (refused.Current.Owner, refused.Current.Epoch));
    }

    [SkippableFact]
    public async Task A_repeated_take_over_answers_taken_without_a_new_epoch()
    {
        var store = Store();
        var id = await CreatedAsync(store);
        await store.TakeOverAsync(id, 1, "b");

        var again = Assert.IsType<TakeOver.Taken>(await store.TakeOverAsync(id, 1, "b"));

        Assert.Equal(2, again.Snapshot.Record.Epoch);
    }

    [SkippableFact]
    public async Task Of_sixteen_contenders_exactly_one_takes_a_session_over()
    {
        var store = Store();
        var id = await CreatedAsync(store);

        var outcomes = await Task.WhenAll(Enumerable.Range(0, 16).Select(n => Task.Run(async () => await store.TakeOverAsync(id, 1, $"r{n}"))));

        var winner = Assert.Single(outcomes.OfType<TakeOver.Taken>()).Snapshot.Record;
        Assert.All(outcomes.OfType<TakeOver.Refused>(), refused => Assert.Equal((winner.Owner, 2L), (refused.Current.Owner, refused.Current.Epoch)));
        Assert.Equal(15, outcomes.OfType<TakeOver.Refused>().Count());
    }

    [SkippableFact]
    public async Task A_commit_of_an_older_epoch_is_fenced_and_leaves_no_trace()
    {
        var store = Store();
        var id = await CreatedAsync(store);
        await store.TakeOverAsync(id, 1, "b");

        var result = await store.CommitAsync(id, new()
        {
            Epoch = 1,
            Number = 1,
            LastPosition = 9,
            Append = [Entry(9)],
            Calls = [Set("s9", "late")],
            State = [Set("k", "late")],
            Handshake = [Set(HandshakeKeys.LogLevel, "late")],
            Touch = true,
        });

        Assert.Equal(CommitResult.Fenced, result);
        Assert.Equal(CommitResult.Fenced, await store.ReleaseAsync(id, 1));
        Assert.Equal(CommitResult.Fenced, await store.EndAsync(id, 1));
        var (record, calls, journal) = await SnapshotAsync(store, id);
        Assert.Equal((2L, 0L, 0L), (record.Epoch, record.LastPosition, record.LastCommit));
        Assert.DoesNotContain(HandshakeKeys.LogLevel, record.Handshake.Keys);
        Assert.Empty(calls);
        Assert.Empty(journal);
        Assert.Empty(await store.ReadStateAsync(id));
    }

    [SkippableFact]
    public async Task A_repeated_commit_is_applied_once()
    {
        var store = Store();
        var id = await CreatedAsync(store);
        await store.CommitAsync(id, Commit(1, 1, Entry(1)));
        var second = new SessionCommit { Epoch = 1, Number = 2, LastPosition = 2, Append = [Entry(2)], State = [Set("k", "2")] };

        Assert.Equal(CommitResult.Committed, await store.CommitAsync(id, second));
        Assert.Equal(CommitResult.Committed, await store.CommitAsync(id, second));
        Assert.Equal(CommitResult.Committed, await store.CommitAsync(id, Commit(1, 1, Entry(1))));

        var (record, _, journal) = await SnapshotAsync(store, id);
        Assert.Equal((2L, 2L), (record.LastCommit, record.LastPosition));
        Assert.Equal([1, 2], journal.Select(entry => entry.Position));
    }

    [SkippableFact]
    public async Task Commit_numbers_go_on_after_a_take_over()
    {
        var store = Store();
        var id = await CreatedAsync(store);
        await store.CommitAsync(id, Commit(1, 1, Entry(1)));
        var taken = Assert.IsType<TakeOver.Taken>(await store.TakeOverAsync(id, 1, "b"));

        Assert.Equal(1, taken.Snapshot.Record.LastCommit);
        Assert.Equal(CommitResult.Committed, await store.CommitAsync(id, Commit(2, 2, Entry(2))));
        Assert.Equal(2, (await store.FindAsync(id))!.LastPosition);
    }

    [SkippableFact]
    public async Task A_store_that_misses_a_commit_or_a_take_over_answers_lost()
    {
        var store = Store();
        var id = await CreatedAsync(store);

        Assert.Equal(CommitResult.Lost, await store.CommitAsync(id, Commit(2, 1, Entry(2))));
        Assert.Equal(CommitResult.Lost, await store.CommitAsync(id, Commit(1, 2, Entry(1))));
        Assert.Equal(0, (await store.FindAsync(id))!.LastCommit);
    }

    [SkippableFact]
    public async Task A_position_is_never_used_twice_and_the_attempt_leaves_no_trace()
    {
        var store = Store();
        var id = await CreatedAsync(store);
        await store.CommitAsync(id, Commit(1, 1, Entry(5)));

        await Assert.ThrowsAsync<ArgumentException>(async () => await store.CommitAsync(id, new() { Epoch = 1, Number = 2, LastPosition = 5, Append = [Entry(5)], State = [Set("k", "v")] }));
        await Assert.ThrowsAsync<ArgumentException>(async () => await store.CommitAsync(id, Commit(2, 1, Entry(7), Entry(6))));

        Assert.Empty(await store.ReadStateAsync(id));
        Assert.Equal(CommitResult.Committed, await store.CommitAsync(id, Commit(2, 1, Entry(6))));
    }

    [SkippableFact]
    public async Task Changes_to_the_tables_apply_in_their_order_and_null_removes()
    {
        var store = Store();
        var id = await CreatedAsync(store);
        await store.CommitAsync(id, new()
        {
            Epoch = 1,
            Number = 1,
            LastPosition = 0,
            Calls = [Set("s1", "first"), Remove("s1"), Set("s2", "second"), Set("s2", "third"), Set("s3", "x")],
            State = [Set("a", "1"), Set("b", "1"), Remove("b"), Set("a", "2"), Set("c", "1")],
            Handshake = [Set("sub:a", "1"), Remove("sub:a"), Set("sub:b", "1")],
        });
        await store.CommitAsync(id, new() { Epoch = 1, Number = 2, LastPosition = 0, Calls = [Remove("s3"), Remove("never")], State = [Remove("c")], Handshake = [Remove("initialize")] });

        var (record, calls, _) = await SnapshotAsync(store, id);
        Assert.Equal(new() { ["s2"] = "third" }, Texts(calls));
        Assert.Equal(new() { ["a"] = "2" }, Texts(await store.ReadStateAsync(id)));
        Assert.Equal(new() { ["sub:b"] = "1" }, Texts(record.Handshake));
    }

    [SkippableFact]
    public async Task Payloads_keys_and_values_may_be_any_bytes()
    {
        var store = Store();
        var id = await CreatedAsync(store);
        ReadOnlyMemory<byte> bytes = Enumerable.Range(0, 512).Select(n => (byte)n).ToArray();
        await store.CommitAsync(id, new()
        {
            Epoch = 1,
            Number = 1,
            LastPosition = 3,
            Append = [Entry(1) with { Payload = bytes }, Entry(2) with { Payload = bytes[1..200] }, Entry(3) with { Payload = default }],
            Calls = [new("s\r\n{}\0ü", bytes)],
            State = [new("k\r\n{}\0ü", bytes), new("", default(ReadOnlyMemory<byte>))],
        });

        var (_, calls, journal) = await SnapshotAsync(store, id);
        Assert.Equal([bytes.ToArray(), bytes[1..200].ToArray(), []], journal.Select(entry => entry.Payload.ToArray()));
        Assert.Equal(bytes.ToArray(), calls["s\r\n{}\0ü"].ToArray());
        var state = await store.ReadStateAsync(id);
        Assert.Equal(bytes.ToArray(), state["k\r\n{}\0ü"].ToArray());
        Assert.Equal(0, state[""].Length);
    }

    [SkippableFact]
    public async Task A_released_session_has_no_owner_and_anybody_takes_it_over()
    {
        var store = Store();
        var id = await CreatedAsync(store);

        Assert.Equal(CommitResult.Committed, await store.ReleaseAsync(id, 1));
        Assert.Equal(CommitResult.Committed, await store.ReleaseAsync(id, 1));

        Assert.Equal(("", 1L), (await store.FindAsync(id)) is { } found ? (found.Owner, found.Epoch) : default);
        Assert.IsType<TakeOver.Taken>(await store.TakeOverAsync(id, 1, "c"));
        Assert.Equal(CommitResult.Fenced, await store.ReleaseAsync(id, 1));
        Assert.Equal("c", (await store.FindAsync(id))!.Owner);
    }

    [SkippableFact]
    public async Task An_ended_session_is_gone_and_fences_whoever_still_writes_it()
    {
        var store = Store();
        var id = await CreatedAsync(store);
        await store.CommitAsync(id, new() { Epoch = 1, Number = 1, LastPosition = 1, Append = [Entry(1)], Calls = [Set("s", "c")], State = [Set("k", "v")] });
        var snapshot = await SnapshotAsync(store, id);

        Assert.Equal(CommitResult.Committed, await store.EndAsync(id, 2));
        Assert.Equal(CommitResult.Committed, await store.EndAsync(id, 2));

        Assert.Null(await store.FindAsync(id));
        Assert.Empty(await store.ReadStateAsync(id));
        Assert.IsType<TakeOver.Unknown>(await store.TakeOverAsync(id, 2, "b"));
        Assert.Equal(CommitResult.Fenced, await store.CommitAsync(id, Commit(2, 2, Entry(2))));
        Assert.Equal(CommitResult.Fenced, await store.CommitAsync(id, Commit(1, 3, Entry(2))));
        Assert.Equal(CommitResult.Fenced, await store.ReleaseAsync(id, 2));
        Assert.Equal(CommitResult.Fenced, await store.EndAsync(id, 1));
        Assert.Equal(CommitResult.Fenced, await store.WriteBackAsync(snapshot, NoState));
        Assert.False(await store.CreateAsync(snapshot.Record));
        Assert.Null(await store.FindAsync(id));
    }

    [SkippableFact]
    public async Task The_mark_of_an_ended_session_expires()
    {
        var store = Store(new() { EndedRetention = TimeSpan.FromMilliseconds(50) });
        var id = await CreatedAsync(store);
        await store.EndAsync(id, 1);

        await Wait.UntilAsync(async () => await store.CommitAsync(id, Commit(1)) == CommitResult.Lost, "the mark to expire");
    }

    [SkippableFact]
    public async Task A_session_that_nobody_uses_expires_with_all_that_belongs_to_it()
    {
        var store = Store(new() { IdleTimeout = TimeSpan.FromMilliseconds(100) });
        var id = await CreatedAsync(store);
        await store.CommitAsync(id, new() { Epoch = 1, Number = 1, LastPosition = 1, Append = [Entry(1)], State = [Set("k", "v")], Calls = [Set("s", "c")], Touch = true });

        await Wait.UntilAsync(async () => await store.FindAsync(id) is null && (await store.ReadStateAsync(id)).Count == 0, "the session to expire");

        Assert.True(await store.CreateAsync(Record(id)));
        Assert.Empty((await SnapshotAsync(store, id)).Journal);
    }

    [SkippableFact]
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

    [SkippableFact]
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

    [SkippableFact]
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

    [SkippableFact]
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
        Assert.Equal(["new", "next"], (await SnapshotAsync(store, id)).Journal.Select(entry => Text(entry.Payload)));
        Assert.Equal(CommitResult.Committed, await store.WriteBackAsync(newer with { Record = newer.Record with { Owner = "z", Epoch = 7 } }, NoState));
        Assert.Equal(("z", 7L), (await store.FindAsync(id)) is { } found ? (found.Owner, found.Epoch) : default);
    }

    private static readonly Dictionary<string, ReadOnlyMemory<byte>> NoState = [];

    private static async Task<string> CreatedAsync(ISessionStore store)
    {
        var id = NewId();
        Assert.True(await store.CreateAsync(Record(id)));
        return id;
    }

    /// <summary>Reads everything, by taking the session over at whatever epoch it has, unless it is at 2 with owner <c>b</c> already.</summary>
    private static async Task<SessionSnapshot> SnapshotAsync(ISessionStore store, string id) =>
        Assert.IsType<TakeOver.Taken>(await store.TakeOverAsync(id, 1, "b")).Snapshot;
}

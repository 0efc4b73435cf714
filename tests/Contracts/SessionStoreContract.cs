using Mcp.HighAvailability.Sessions;
using Mcp.HighAvailability.Storage;
using static McpHa.Tests.SessionSamples;

namespace McpHa.Tests;

/// <summary>How sessions come, change their owner and go in every <see cref="ISessionStore"/>.</summary>
public abstract class SessionStoreContract
{
    protected abstract ISessionStore Store(SessionStoreOptions? options = null);

    [Fact]
    public async Task A_created_session_is_found_as_it_was_written()
    {
        var store = Store();
        var record = Record(NewId());

        Assert.True(await store.CreateAsync(record));

        Assert.Equal(new SessionOwner(record.Owner, record.Epoch, record.LastPosition, record.LastCommit), await store.FindAsync(record.Id));
        var read = (await SnapshotAsync(store, record.Id)).Record;
        Assert.Equal(Texts(record.Handshake), Texts(read.Handshake));
        Assert.Equal(record, read with { Handshake = record.Handshake, Owner = record.Owner, Epoch = record.Epoch, Hops = record.Hops });
    }

    [Fact]
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

    [Fact]
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

    [Fact]
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

    [Fact]
    public async Task A_take_over_from_an_epoch_that_has_passed_is_refused_with_the_current_record()
    {
        var store = Store();
        var id = await CreatedAsync(store);
        await store.TakeOverAsync(id, 1, "b");

        var refused = Assert.IsType<TakeOver.Refused>(await store.TakeOverAsync(id, 1, "c"));

        Assert.Equal(("b", 2L), (refused.Current.Owner, refused.Current.Epoch));
    }

    [Fact]
    public async Task A_repeated_take_over_answers_taken_without_a_new_epoch()
    {
        var store = Store();
        var id = await CreatedAsync(store);
        await store.TakeOverAsync(id, 1, "b");

        var again = Assert.IsType<TakeOver.Taken>(await store.TakeOverAsync(id, 1, "b"));

        Assert.Equal(2, again.Snapshot.Record.Epoch);
    }

    [Fact]
    public async Task Of_sixteen_contenders_exactly_one_takes_a_session_over()
    {
        var store = Store();
        var id = await CreatedAsync(store);

        var outcomes = await Task.WhenAll(Enumerable.Range(0, 16).Select(n => Task.Run(async () => await store.TakeOverAsync(id, 1, $"r{n}"))));

        var winner = Assert.Single(outcomes.OfType<TakeOver.Taken>()).Snapshot.Record;
        Assert.All(outcomes.OfType<TakeOver.Refused>(), refused => Assert.Equal((winner.Owner, 2L), (refused.Current.Owner, refused.Current.Epoch)));
        Assert.Equal(15, outcomes.OfType<TakeOver.Refused>().Count());
    }

    [Fact]
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

    [Fact]
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

    [Fact]
    public async Task The_mark_of_an_ended_session_expires()
    {
        var store = Store(new() { EndedRetention = TimeSpan.FromMilliseconds(50) });
        var id = await CreatedAsync(store);
        await store.EndAsync(id, 1);

        await Wait.UntilAsync(async () => await store.CommitAsync(id, Commit(1)) == CommitResult.Lost, "the mark to expire");
    }

    [Fact]
    public async Task A_session_that_nobody_uses_expires_with_all_that_belongs_to_it()
    {
        var store = Store(new() { IdleTimeout = TimeSpan.FromMilliseconds(100) });
        var id = await CreatedAsync(store);
        await store.CommitAsync(id, new() { Epoch = 1, Number = 1, LastPosition = 1, Append = [Entry(1)], State = [Set("k", "v")], Calls = [Set("s", "c")], Touch = true });

        await Wait.UntilAsync(async () => await store.FindAsync(id) is null && (await store.ReadStateAsync(id)).Count == 0, "the session to expire");

        Assert.True(await store.CreateAsync(Record(id)));
        Assert.Empty((await SnapshotAsync(store, id)).Journal);
    }

    [Fact]
    public async Task A_session_that_was_never_used_expires_early()
    {
        var store = Store(new() { UnusedTimeout = TimeSpan.FromSeconds(1) });
        var used = await CreatedAsync(store);
        Assert.Equal(CommitResult.Committed, await store.CommitAsync(used, new() { Epoch = 1, Number = 1, LastPosition = 0, Touch = true }));
        var unused = await CreatedAsync(store);

        await Wait.UntilAsync(async () => await store.FindAsync(unused) is null, "the unused session to expire");

        Assert.NotNull(await store.FindAsync(used));
    }
}

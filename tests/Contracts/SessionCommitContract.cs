using Mcp.HighAvailability.Sessions;
using Mcp.HighAvailability.Storage;
using static McpHa.Tests.SessionSamples;

namespace McpHa.Tests;

/// <summary>What a commit does in every <see cref="ISessionStore"/>.</summary>
public abstract class SessionCommitContract
{
    protected abstract ISessionStore Store();

    [Fact]
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

    [Fact]
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

    [Fact]
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

    [Fact]
    public async Task A_store_that_misses_a_commit_or_a_take_over_answers_lost()
    {
        var store = Store();
        var id = await CreatedAsync(store);

        Assert.Equal(CommitResult.Lost, await store.CommitAsync(id, Commit(2, 1, Entry(2))));
        Assert.Equal(CommitResult.Lost, await store.CommitAsync(id, Commit(1, 2, Entry(1))));
        Assert.Equal(0, (await store.FindAsync(id))!.LastCommit);
    }

    [Fact]
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

    [Fact]
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

    [Fact]
    public async Task A_take_over_reads_the_state_in_the_same_step_also_when_it_is_repeated()
    {
        var store = Store();
        var id = await CreatedAsync(store);
        await store.CommitAsync(id, new() { Epoch = 1, Number = 1, LastPosition = 0, State = [Set("a", "1"), Set("b", "ü")] });

        for (var time = 0; time < 2; time++)
        {
            var taken = Assert.IsType<TakeOver.Taken>(await store.TakeOverAsync(id, 1, "b"));
            Assert.Equal(new() { ["a"] = "1", ["b"] = "ü" }, Texts(taken.Snapshot.State));
        }
    }

    [Fact]
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

    [Fact]
    public async Task A_commit_of_another_owner_at_the_same_epoch_is_fenced_whatever_its_number()
    {
        var store = Store();
        var id = await CreatedAsync(store);
        await store.TakeOverAsync(id, 1, "b");
        await store.CommitAsync(id, Commit(1, 2, Entry(1)));

        // The store had lost that c had taken the session over before, at the same epoch.
        for (var number = 1; number <= 3; number++)
            Assert.Equal(CommitResult.Fenced, await store.CommitAsync(id, new() { Owner = "c", Epoch = 2, Number = number, LastPosition = 9, Append = [Entry(9)] }));

        Assert.Equal(CommitResult.Committed, await store.CommitAsync(id, new() { Owner = "b", Epoch = 2, Number = 2, LastPosition = 2, Append = [Entry(2)] }));
        Assert.Equal(2, (await store.FindAsync(id))!.LastPosition);
    }
}

using Mcp.HighAvailability.Storage;
using static McpHa.Tests.SessionSamples;

namespace McpHa.Tests;

/// <summary>What every <see cref="IStateHandleStore"/> does.</summary>
public abstract class StateHandleStoreContract
{
    protected abstract IStateHandleStore Store(StateHandleOptions? options = null);

    [Fact]
    public async Task A_new_handle_is_empty_and_bound_to_its_user()
    {
        var store = Store();
        var handle = NewId();

        await store.CreateAsync(handle, "anna");

        var read = await store.ReadAsync(handle);
        Assert.NotNull(read);
        Assert.Equal(("anna", 0L), (read.User, read.Version));
        Assert.Empty(read.Values);
    }

    [Fact]
    public async Task An_unknown_handle_is_neither_read_nor_written()
    {
        var store = Store();
        var handle = NewId();

        Assert.Null(await store.ReadAsync(handle));
        Assert.IsType<StateHandleCommit.Unknown>(await store.CommitAsync(handle, 0, [Set("k", "v")], "call", Utf8("r")));
        Assert.Null(await store.ReadAsync(handle));
    }

    [Fact]
    public async Task A_repeated_creation_keeps_what_is_there()
    {
        var store = Store();
        var handle = await CreatedAsync(store);
        await store.CommitAsync(handle, 0, [Set("k", "v")], "call", Utf8("r"));

        await store.CreateAsync(handle, "bob");

        var read = await store.ReadAsync(handle);
        Assert.Equal(("anna", 1L, "v"), (read!.User, read.Version, Text(read.Values["k"])));
    }

    [Fact]
    public async Task Writes_apply_in_order_null_removes_and_the_version_grows_by_one()
    {
        var store = Store();
        var handle = await CreatedAsync(store);

        Assert.IsType<StateHandleCommit.Committed>(await store.CommitAsync(handle, 0, [Set("a", "1"), Set("a", "2"), Set("b", "1"), Remove("b"), Set("u", "x"), Set("v", "y"), Set("", "e")], "c1", Utf8("r1")));
        Assert.IsType<StateHandleCommit.Committed>(await store.CommitAsync(handle, 1, [Remove("u"), Remove("never")], "c2", Utf8("r2")));

        var read = await store.ReadAsync(handle);
        Assert.Equal(2, read!.Version);
        Assert.Equal(new() { ["a"] = "2", ["v"] = "y", [""] = "e" }, Texts(read.Values));
        Assert.Equal("anna", read.User);
    }

    [Fact]
    public async Task A_commit_on_an_older_version_conflicts_and_leaves_no_trace()
    {
        var store = Store();
        var handle = await CreatedAsync(store);
        await store.CommitAsync(handle, 0, [Set("k", "first")], "c1", Utf8("r1"));

        Assert.IsType<StateHandleCommit.Conflict>(await store.CommitAsync(handle, 0, [Set("k", "second")], "c2", Utf8("r2")));

        var read = await store.ReadAsync(handle);
        Assert.Equal((1L, "first"), (read!.Version, Text(read.Values["k"])));
        Assert.IsType<StateHandleCommit.Committed>(await store.CommitAsync(handle, 1, [], "c2", Utf8("r2")));
    }

    [Fact]
    public async Task The_same_call_is_applied_once_and_answers_what_it_answered_then()
    {
        var store = Store();
        var handle = await CreatedAsync(store);
        ReadOnlyMemory<byte> response = Enumerable.Range(0, 256).Select(n => (byte)n).ToArray();
        await store.CommitAsync(handle, 0, [Set("k", "1")], "call", response);

        var atOldVersion = await store.CommitAsync(handle, 0, [Set("k", "2")], "call", Utf8("other"));
        var atNewVersion = await store.CommitAsync(handle, 1, [Set("k", "2")], "call", Utf8("other"));

        Assert.Equal(response.ToArray(), Assert.IsType<StateHandleCommit.AlreadyApplied>(atOldVersion).Response.ToArray());
        Assert.Equal(response.ToArray(), Assert.IsType<StateHandleCommit.AlreadyApplied>(atNewVersion).Response.ToArray());
        Assert.Equal("1", Text((await store.ReadAsync(handle))!.Values["k"]));
    }

    [Fact]
    public async Task Only_the_last_calls_are_remembered()
    {
        var store = Store(new() { RememberedCalls = 2 });
        var handle = await CreatedAsync(store);
        for (var n = 0; n < 3; n++)
            Assert.IsType<StateHandleCommit.Committed>(await store.CommitAsync(handle, n, [], $"c{n}", Utf8("r")));

        Assert.IsType<StateHandleCommit.AlreadyApplied>(await store.CommitAsync(handle, 0, [], "c2", Utf8("r")));
        Assert.IsType<StateHandleCommit.AlreadyApplied>(await store.CommitAsync(handle, 0, [], "c1", Utf8("r")));
        Assert.IsType<StateHandleCommit.Conflict>(await store.CommitAsync(handle, 0, [], "c0", Utf8("r")));
    }

    [Fact]
    public async Task Sixteen_writers_that_start_again_after_a_conflict_lose_nothing()
    {
        var store = Store();
        var handle = await CreatedAsync(store);

        await Task.WhenAll(Enumerable.Range(0, 16).Select(n => Task.Run(async () =>
        {
            while (true)
            {
                var read = (await store.ReadAsync(handle))!;
                var count = read.Values.TryGetValue("n", out var value) ? int.Parse(Text(value)) : 0;
                if (await store.CommitAsync(handle, read.Version, [Set("n", $"{count + 1}")], $"c{n}", default) is StateHandleCommit.Committed)
                    return;
            }
        })));

        Assert.Equal("16", Text((await store.ReadAsync(handle))!.Values["n"]));
    }

    [Fact]
    public async Task A_handle_that_nobody_uses_expires()
    {
        var store = Store(new() { Expiry = TimeSpan.FromMilliseconds(100) });
        var handle = await CreatedAsync(store);

        await Wait.UntilAsync(
            async () => await store.CommitAsync(handle, 99, [], "c", default) is StateHandleCommit.Unknown,
            "the handle to expire");
        Assert.Null(await store.ReadAsync(handle));
    }

    private static async Task<string> CreatedAsync(IStateHandleStore store)
    {
        var handle = NewId();
        await store.CreateAsync(handle, "anna");
        return handle;
    }
}

using Mcp.HighAvailability.Storage;
using static McpHa.Tests.SessionSamples;

namespace McpHa.Tests;

/// <summary>The trail of a session by its id, in every backend: its owner and its former owners.</summary>
public abstract class SessionLookupContract
{
    protected abstract (ISessionStore Store, ISessionLookup Lookup) Backend();

    [Fact]
    public async Task A_session_that_has_had_one_owner_has_no_hops()
    {
        var (store, lookup) = Backend();
        var record = Record(NewId());
        await store.CreateAsync(record);

        var trail = await lookup.FindAsync(record.Id);

        Assert.Equal(
            new SessionTrail { Owner = "a", Epoch = 1, ProtocolVersion = record.ProtocolVersion, TraceParent = record.TraceParent, Created = record.Created },
            trail);
    }

    [Fact]
    public async Task Every_change_of_the_owner_is_kept_with_its_reason()
    {
        var (store, lookup) = Backend();
        var id = await CreatedAsync(store);
        var before = DateTimeOffset.UtcNow.AddSeconds(-1);

        await store.TakeOverAsync(id, 1, "b");
        await store.TakeOverAsync(id, 1, "b"); // repeated: it is one hop
        await store.ReleaseAsync(id, 2);
        await store.ReleaseAsync(id, 2);
        await store.TakeOverAsync(id, 2, "c");
        await store.TakeOverAsync(id, 3, "c");

        var trail = (await lookup.FindAsync(id))!;
        Assert.Equal(
            [(2L, "a", "b", TakeOverReasons.OwnerLost), (3L, "b", "c", TakeOverReasons.HandedOver), (4L, "c", "c", TakeOverReasons.LocalCopyLost)],
            trail.Hops.Select(hop => (hop.Epoch, hop.From, hop.To, hop.Reason)));
        Assert.All(trail.Hops, hop => Assert.InRange(hop.Time, before, DateTimeOffset.UtcNow.AddSeconds(1)));
        Assert.All(trail.Hops, hop => Assert.Null(hop.Took));
        Assert.Equal(("c", 4L), (trail.Owner, trail.Epoch));
        var taken = Assert.IsType<TakeOver.Taken>(await store.TakeOverAsync(id, 3, "c"));
        Assert.Equal(trail.Hops, taken.Snapshot.Record.Hops);
    }

    [Fact]
    public async Task How_long_a_take_over_took_comes_with_a_commit_of_the_new_owner_and_of_no_other()
    {
        var (store, lookup) = Backend();
        var id = await CreatedAsync(store);
        await store.CommitAsync(id, Timed(1, 1, 5)); // nothing was taken over yet
        await store.TakeOverAsync(id, 1, "b");

        Assert.Equal(CommitResult.Fenced, await store.CommitAsync(id, Timed(2, 1, 6)));
        Assert.Null(Assert.Single((await lookup.FindAsync(id))!.Hops).Took);
        Assert.Equal(CommitResult.Committed, await store.CommitAsync(id, Timed(2, 2, 34.5)));
        Assert.Equal(CommitResult.Committed, await store.CommitAsync(id, Timed(2, 2, 34.5)));
        await store.TakeOverAsync(id, 2, "c");

        Assert.Equal([34.5, null], (await lookup.FindAsync(id))!.Hops.Select(hop => hop.Took?.TotalMilliseconds));

        static SessionCommit Timed(long number, long epoch, double milliseconds) => new()
        {
            Epoch = epoch,
            Number = number,
            LastPosition = number,
            Append = [Entry(number)],
            State = [Set("k", "v")],
            TakeOverTook = TimeSpan.FromMilliseconds(milliseconds),
        };
    }

    [Fact]
    public async Task Of_many_hops_the_last_twenty_are_kept()
    {
        var (store, lookup) = Backend();
        var id = await CreatedAsync(store);
        for (var epoch = 1; epoch <= 25; epoch++)
            await store.TakeOverAsync(id, epoch, $"r{epoch + 1}");

        var hops = (await lookup.FindAsync(id))!.Hops;
        Assert.Equal(Enumerable.Range(7, 20).Select(epoch => ((long)epoch, $"r{epoch - 1}", $"r{epoch}")), hops.Select(hop => (hop.Epoch, hop.From, hop.To)));
    }

    [Fact]
    public async Task Hops_are_written_back_with_the_session()
    {
        var (store, lookup) = Backend();
        var id = NewId();
        var hops = SessionHops.None
            .With(new SessionHop(2, "", "b", TakeOverReasons.HandedOver, Now))
            .With(2, TimeSpan.FromMilliseconds(1.5))
            .With(new SessionHop(3, "b", "c", TakeOverReasons.OwnerLost, Now));
        await store.WriteBackAsync(new(Record(id, "c") with { Epoch = 3, Hops = hops }, NoState, []), NoState);

        Assert.Equal(hops, (await lookup.FindAsync(id))!.Hops);
        Assert.Equal(CommitResult.Committed, await store.CommitAsync(id, new() { Epoch = 3, Number = 1, LastPosition = 1, TakeOverTook = TimeSpan.FromMilliseconds(2) }));
        Assert.Equal(2, (await lookup.FindAsync(id))!.Hops[^1].Took!.Value.TotalMilliseconds);
    }

    [Fact]
    public async Task Of_an_ended_session_only_its_end_is_known_and_of_an_unknown_one_nothing()
    {
        var (store, lookup) = Backend();
        var id = await CreatedAsync(store);
        await store.TakeOverAsync(id, 1, "b");
        await store.EndAsync(id, 2);

        Assert.Equal(new SessionTrail { Ended = true, Epoch = 2 }, await lookup.FindAsync(id));
        Assert.Null(await lookup.FindAsync(NewId()));
    }
}

using Mcp.HighAvailability.Storage;
using static McpHa.Tests.SessionSamples;

namespace McpHa.Tests;

/// <summary>What the cluster page learns of every backend.</summary>
public abstract class StoreFiguresContract
{
    protected abstract (ISessionStore Store, IStoreFigures Figures) Backend(SessionStoreOptions? options = null);

    [Fact]
    public async Task Sessions_are_counted_by_their_records_whoever_owns_them()
    {
        var (store, figures) = Backend();
        var before = (await figures.ReadAsync()).Sessions;
        var taken = await CreatedAsync(store);
        var released = await CreatedAsync(store);
        var ended = await CreatedAsync(store);
        await CountAsync(figures, before + 3);

        await store.TakeOverAsync(taken, 1, "b");
        await store.ReleaseAsync(released, 1);
        await store.EndAsync(ended, 1);

        await CountAsync(figures, before + 2);
        await store.EndAsync(taken, 2);
        await store.EndAsync(released, 1);
        await CountAsync(figures, before);
    }

    [Fact]
    public async Task A_session_that_has_expired_is_not_counted()
    {
        var (store, figures) = Backend(new() { IdleTimeout = TimeSpan.FromMilliseconds(150), UnusedTimeout = TimeSpan.FromMilliseconds(150) });
        var before = (await figures.ReadAsync()).Sessions;
        await CreatedAsync(store);

        await CountAsync(figures, before);
    }

    // The list of sessions follows the sessions.
    private static Task CountAsync(IStoreFigures figures, long sessions) =>
        Wait.UntilAsync(async () => (await figures.ReadAsync()).Sessions == sessions, $"{sessions} sessions");
}

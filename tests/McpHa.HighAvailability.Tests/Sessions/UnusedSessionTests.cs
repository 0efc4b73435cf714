using System.Net;

namespace McpHa.Tests;

/// <summary>Sessions that clients open and never use end early; those that were used once keep the whole idle time.</summary>
public sealed class UnusedSessionTests
{
    [Fact]
    public async Task A_session_that_was_never_used_ends_early_here_and_in_the_store()
    {
        await using var cluster = await InProcessCluster.StartAsync(1, storeOptions: o => o.UnusedTimeout = TimeSpan.FromSeconds(2));
        using var called = await cluster.ConnectAsync();
        await called.CallAsync(cluster[0], "once", "x");
        using var listening = await cluster.ConnectAsync();
        using var stream = await listening.GetAsync(cluster[0]);
        using var told = await cluster.ConnectAsync();
        using (await told.PostAsync(cluster[0], RawClient.Notification("notifications/roots/list_changed")))
        {
        }

        // Opened last, so the others have waited longer when it has ended.
        using var unused = await cluster.ConnectAsync();
        await Wait.UntilAsync(() => cluster[0].Session(unused.SessionId!) is null, "the unused session to end");
        await Wait.UntilAsync(async () => await cluster[0].Store.FindAsync(unused.SessionId!) is null, "the store to forget it");

        using var gone = await unused.PostAsync(cluster[0], unused.Call("once"));
        Assert.Equal(HttpStatusCode.NotFound, gone.Status);
        foreach (var client in new[] { called, listening, told })
            Assert.Equal("y", await client.CallAsync(cluster[0], "once", "y"));
    }

    [Fact]
    public async Task The_first_use_gives_a_session_its_whole_life_in_the_store_even_if_nothing_is_written()
    {
        await using var cluster = await InProcessCluster.StartAsync(1, storeOptions: o => o.UnusedTimeout = TimeSpan.FromSeconds(2));
        using var client = await cluster.ConnectAsync();
        await client.CallAsync(cluster[0], "again", "x");

        await Wait.UntilAsync(
            () => cluster.Sessions.TryGet(client.SessionId!, out var session) && session.Expires > TimeProvider.System.GetUtcNow() + TimeSpan.FromHours(1),
            "the store's expiry to be renewed");
    }
}

using System.Net;
using Mcp.HighAvailability.Protocol;

namespace McpHa.Tests;

/// <summary>An owner is cut off from the store for longer than <c>DurableTimeout</c>: alone, or with all others.</summary>
public sealed class StoreAwayTests
{
    [Fact]
    public async Task An_owner_that_alone_is_cut_off_shows_nothing_and_writes_nothing_that_the_store_does_not_have()
    {
        await using var cluster = await StartAsync();
        using var client = await cluster.ConnectAsync();
        var cut = new TaskCompletionSource();
        cluster.Tool.Body = async run =>
        {
            if (run.Token is not null)
                await run.ProgressAsync(1);
            if (run.Replica.ReplicaId != "replica-a")
                return run.Replica.ReplicaId;
            await cluster.Tool.UntilAsync(cut.Task);
            for (var n = 2; n < 100; n++)
                _ = run.ProgressAsync(n);
            return "too late";
        };
        using var call = await client.PostAsync(cluster[0], client.Call("again", progress: true));
        await call.MessageAsync();
        var session = cluster[0].Session(client.SessionId!)!;

        cluster.TakeStoreFrom(0);
        cut.SetResult();

        Assert.Equal(JsonRpc.MayHaveRun, (int)Assert.Single(await call.MessagesAsync())["error"]!["code"]!);

        // Another replica takes the session over, and runs again what may be run again.
        using (var resumed = await client.GetAsync(cluster[1], call.LastId))
            Assert.Equal("replica-b", RawClient.TextOf(Assert.Single(await resumed.MessagesAsync())));
        Assert.Equal(2, cluster.Snapshot(client.SessionId!)!.Record.Epoch);
        var journal = cluster.Journal(client.SessionId!).Count;

        cluster.TakeStoreFrom();
        await session.Gone.WaitAsync(Wait.Limit);
        Assert.Equal(journal, cluster.Journal(client.SessionId!).Count);
        Assert.Equal("replica-b", await client.CallAsync(cluster[0], "again"));
    }

    [Fact]
    public async Task While_the_store_is_away_for_all_owners_keep_their_sessions_and_answer_what_needs_no_write()
    {
        await using var cluster = await StartAsync();
        using var client = await cluster.ConnectAsync();
        cluster.Tool.Body = async run =>
        {
            if (run.Argument != "x")
                await run.State.SetAsync("key", run.Argument);
            return run.Argument;
        };
        cluster.TakeStoreFrom(0, 1);

        Assert.Equal("x", await client.CallAsync(cluster[0], "again", "x"));
        using var stream = await client.GetAsync(cluster[0]);
        Assert.Null((await stream.NextAsync())!.Message);

        // It has run, and its answer cannot be stored.
        var change = client.Call("again", "y");
        using (var changed = await client.PostAsync(cluster[0], change))
        {
            Assert.Equal(HttpStatusCode.BadGateway, changed.Status);
            Assert.Equal(JsonRpc.MayHaveRun, (int)(await changed.JsonAsync())["error"]!["code"]!);
        }

        // What must not run twice is not even begun, and may be sent again.
        var delivery = client.Call("once", "delivered");
        using (var refused = await client.PostAsync(cluster[0], delivery))
        {
            Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.Status);
            Assert.Equal(JsonRpc.Unavailable, (int)(await refused.JsonAsync())["error"]!["code"]!);
        }

        Assert.Equal(2, cluster.Tool.Runs);
        cluster.TakeStoreFrom();
        await cluster[0].Session(client.SessionId!)!.DrainAsync();

        using (var repeated = await client.PostAsync(cluster[0], change))
            Assert.Equal("y", RawClient.TextOf(await repeated.AnswerAsync()));
        using (var delivered = await client.PostAsync(cluster[0], delivery))
            Assert.Equal("delivered", RawClient.TextOf(await delivered.AnswerAsync()));
        Assert.Equal(3, cluster.Tool.Runs);
        Assert.Equal(("replica-a", 1L), (cluster.Snapshot(client.SessionId!)!.Record.Owner, cluster.Snapshot(client.SessionId!)!.Record.Epoch));
    }

    [Fact]
    public async Task A_relay_is_told_that_the_call_may_have_run_and_asks_again()
    {
        await using var cluster = await StartAsync();
        using var client = await cluster.ConnectAsync();
        cluster.Tool.Body = async run =>
        {
            await run.State.SetAsync("key", run.Argument);
            return run.Argument;
        };
        cluster[0].Store.Away = true;

        using var refused = await client.PostAsync(cluster[0], client.Call("again", "y"), h => h.TryAddWithoutValidation("Mcp-Ha-Relay", "1"));

        Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.Status);
        Assert.Equal("1", refused.Header("Mcp-Ha-Transient"));
        Assert.Equal("replica-a", refused.Header("Mcp-Ha-Begun"));
        cluster[0].Store.Away = false;
    }

    private static Task<InProcessCluster> StartAsync() => InProcessCluster.StartAsync(
        options: o => o.DurableTimeout = TimeSpan.FromMilliseconds(100),
        clusterOptions: o => (o.HeartbeatInterval, o.Overdue) = (TimeSpan.FromMilliseconds(400), TimeSpan.FromSeconds(2)));
}

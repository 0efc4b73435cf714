using Mcp.HighAvailability.Sessions;
using Mcp.HighAvailability.Storage;
using Microsoft.Extensions.Time.Testing;

namespace McpHa.Tests.Sessions;

/// <summary>The server of a drained replica closes when requests have ceased.</summary>
public sealed class LateRequestTests
{
    [Fact]
    public async Task The_server_stays_open_until_no_request_has_come_for_a_while()
    {
        var time = new FakeTimeProvider();
        var requests = new LateRequests(time);
        var ceased = requests.WhenCeasedAsync(default);

        for (var n = 0; n < 5; n++)
        {
            time.Advance(TimeSpan.FromMilliseconds(200));
            Assert.True(requests.Note());
        }

        Assert.False(ceased.IsCompleted);
        await EndsWithinAsync(TimeSpan.FromMilliseconds(500), time, ceased);
    }

    [Fact]
    public async Task Requests_that_never_cease_keep_it_open_for_two_seconds()
    {
        var time = new FakeTimeProvider();
        var requests = new LateRequests(time);
        var ceased = requests.WhenCeasedAsync(default);

        await Wait.UntilAsync(
            () =>
            {
                requests.Note();
                time.Advance(TimeSpan.FromMilliseconds(100));
                return ceased.IsCompleted;
            },
            "the wait to end");
        Assert.True(time.GetUtcNow() - time.Start >= TimeSpan.FromSeconds(2));
    }

    [Fact]
    public async Task A_request_that_comes_after_the_drain_is_answered_and_closes_its_connection()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();
        await cluster[0].DrainAsync();

        using var late = await client.PostAsync(cluster[0], client.Call("again", "x"));

        Assert.Equal("close", late.Header("Connection"));
        Assert.Equal("x", RawClient.TextOf(await late.AnswerAsync()));
        Assert.Null(cluster[0].Session(client.SessionId!));
    }

    [Fact]
    public async Task A_session_that_is_on_its_way_to_a_replica_when_its_drain_begins_is_handed_over_too()
    {
        await using var cluster = await InProcessCluster.StartAsync(options: o => o.DrainTimeout = TimeSpan.FromSeconds(60));
        using var client = await cluster.ConnectAsync();
        var takeOver = cluster[1].Store.StopBefore(nameof(ISessionStore.TakeOverAsync));
        await cluster[0].StopAsync();
        await takeOver.Reached;

        var drain = cluster[1].DrainAsync();
        takeOver.LetGo();
        await drain;

        Assert.Null(cluster[1].Session(client.SessionId!));
        Assert.Equal("", cluster.Snapshot(client.SessionId!)!.Record.Owner);
    }

    private static async Task EndsWithinAsync(TimeSpan limit, FakeTimeProvider time, Task task)
    {
        for (var passed = TimeSpan.Zero; passed < limit && !task.IsCompleted; passed += TimeSpan.FromMilliseconds(50))
        {
            time.Advance(TimeSpan.FromMilliseconds(50));
            await Task.Yield();
        }

        await task.WaitAsync(Wait.Limit);
    }
}

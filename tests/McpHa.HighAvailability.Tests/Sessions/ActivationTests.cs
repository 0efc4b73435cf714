using Mcp.HighAvailability.Sessions;
using Microsoft.Extensions.DependencyInjection;
using ModelContextProtocol.Protocol;

namespace McpHa.Tests;

/// <summary>A session that was taken over gets the SDK's server when a message first needs it.</summary>
public sealed class ActivationTests
{
    [Fact]
    public async Task An_idle_session_with_a_stream_is_taken_over_without_a_server_and_gets_one_with_its_next_call()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();
        cluster.Tool.Body = static run => Task.FromResult(run.Replica.ReplicaId);
        Assert.Equal("replica-a", await client.CallAsync(cluster[0], "again"));
        await cluster.CutOffAsync(cluster[0]);

        using var stream = await client.GetAsync(cluster[1]);
        await stream.NextAsync();
        var session = cluster[1].Session(client.SessionId!)!;
        Assert.Equal(2, session.Epoch);
        Assert.False(session.Activation.IsComplete);

        // All of these wait for one activation, and come after it.
        var calls = await Task.WhenAll(Enumerable.Range(0, 10).Select(_ => client.CallAsync(cluster[1], "again")));
        Assert.All(calls, answer => Assert.Equal("replica-b", answer));
        Assert.True(session.Activation.IsComplete);
        Assert.Equal(2, cluster[1].Session(client.SessionId!)!.Epoch);
    }

    [Fact]
    public async Task A_call_that_waits_for_a_take_over_finds_the_server_running()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();
        await cluster.CutOffAsync(cluster[0]);
        Assert.Equal("text", await client.CallAsync(cluster[1], "again", "text"));
        Assert.True(cluster[1].Session(client.SessionId!)!.Activation.IsComplete);
    }

    [Fact]
    public async Task A_session_that_is_activated_while_it_drains_stays_until_it_is_handed_over()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();
        await cluster.CutOffAsync(cluster[0]);
        using var stream = await client.GetAsync(cluster[1]);
        await stream.NextAsync();
        var session = cluster[1].Session(client.SessionId!)!;
        Assert.Equal(DrainOutcome.Drains, session.Runner.Run(false, HandOverSteps.Drain));

        session.Transport.Activate();
        await Wait.UntilAsync(() => session.Activation.IsComplete, "the server to run");

        await Assert.ThrowsAsync<TimeoutException>(() => session.Gone.WaitAsync(TimeSpan.FromMilliseconds(200)));
        await session.DrainAsync();
        session.CloseHandedOver();
    }

    [Fact]
    public async Task A_session_that_ends_before_it_is_activated_leaves_nothing_behind()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();
        await cluster.CutOffAsync(cluster[0]);
        using var stream = await client.GetAsync(cluster[1]);
        await stream.NextAsync();
        var session = cluster[1].Session(client.SessionId!)!;
        Assert.True(await session.EndAsync("test", CancellationToken.None));
        await session.Gone;
        Assert.False(session.Transport.Feed(new JsonRpcNotification { Method = "notifications/test" }));
        Assert.Equal(0, cluster[1].Get<SessionHost>().SessionCount);
    }

    [Fact]
    public async Task A_server_whose_application_acts_on_the_beginning_of_a_session_is_started_by_the_take_over()
    {
        var begun = 0;
        await using var cluster = await InProcessCluster.StartAsync(server: builder => builder.Services.Configure<ModelContextProtocol.Server.McpServerOptions>(
            options => options.Handlers.NotificationHandlers =
            [
                new(NotificationMethods.InitializedNotification, (_, _) =>
                {
                    Interlocked.Increment(ref begun);
                    return default;
                }),
            ]));
        using var client = await cluster.ConnectAsync();
        await Wait.UntilAsync(() => Volatile.Read(ref begun) == 1, "the beginning");
        await cluster.CutOffAsync(cluster[0]);
        using var stream = await client.GetAsync(cluster[1]);
        await stream.NextAsync();
        Assert.True(cluster[1].Session(client.SessionId!)!.Activation.IsComplete);
        Assert.Equal(2, Volatile.Read(ref begun));
    }
}

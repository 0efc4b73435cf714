using System.Text.Json;
using Mcp.HighAvailability;
using Mcp.HighAvailability.Broadcast;
using Mcp.HighAvailability.Cluster;
using Mcp.HighAvailability.Sessions;
using Mcp.HighAvailability.Storage;
using Mcp.HighAvailability.Tasks;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging.Abstractions;
using ModelContextProtocol.Protocol;

namespace McpHa.Tests;

/// <summary>A fault stays in its session, and ends no background loop.</summary>
public sealed class FaultTests
{
    private static readonly Exception Broken = new InvalidDataException("made to break");

    [Fact]
    public async Task A_damaged_session_does_not_disturb_the_drain_of_others()
    {
        await using var cluster = await InProcessCluster.StartAsync(2, o => o.DrainTimeout = Wait.Limit);
        cluster.ErrorsExpected = true;
        using var damaged = await cluster.ConnectAsync();
        using var busy = await cluster.ConnectAsync();
        var (running, finish) = (new TaskCompletionSource(), new TaskCompletionSource());
        cluster.Tool.Body = async run =>
        {
            running.SetResult();
            await cluster.Tool.UntilAsync(finish.Task);
            return "done";
        };
        var release = cluster[0].Store.StopBefore("ReleaseAsync", id => (string)id! == damaged.SessionId);
        using var call = await busy.PostAsync(cluster[0], busy.Call("once"));
        await running.Task;

        var drain = cluster[0].DrainAsync();
        await release.Reached;
        release.Fail(Broken);
        await Wait.UntilAsync(() => cluster[0].Session(damaged.SessionId!) is null, "the damaged session to end here");
        Assert.False(drain.IsCompleted);
        finish.SetResult();

        Assert.Equal("done", RawClient.TextOf(await call.AnswerAsync()));
        await drain.WaitAsync(Wait.Limit);
        Assert.NotEqual("replica-a", cluster.Snapshot(busy.SessionId!)!.Record.Owner);
        Assert.Contains(cluster[0].Errors, e => e.Contains(damaged.SessionId!, StringComparison.Ordinal) && e.Contains(Broken.Message, StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_drain_that_an_operator_asked_for_outlives_a_damaged_session()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        cluster.ErrorsExpected = true;
        using var damaged = await cluster.ConnectAsync();
        using var sound = await cluster.ConnectAsync();
        var release = cluster[0].Store.StopBefore("ReleaseAsync", id => (string)id! == damaged.SessionId);
        cluster[0].Get<ReplicaDrain>().Begin();
        await release.Reached;
        release.Fail(Broken);

        await Wait.UntilAsync(() => cluster[0].Get<SessionHost>().SessionCount == 0, "both sessions to leave");

        cluster[0].Get<ReplicaDrain>().CallOff();
        await cluster[0].DrainAsync().WaitAsync(Wait.Limit);
    }

    [Fact]
    public async Task No_background_loop_ends_by_a_fault()
    {
        var bus = new InMemoryEventBus(NullLogger<InMemoryEventBus>.Instance);
        await using var cluster = await InProcessCluster.StartAsync(
            1,
            storeOptions: o => o.IdleTimeout = TimeSpan.FromSeconds(4),
            clusterOptions: o => (o.HeartbeatInterval, o.Overdue) = (TimeSpan.FromMilliseconds(200), TimeSpan.FromSeconds(1)),
            server: mcp => mcp.Services.AddSingleton<IEventBus>(new CutOffEventBus(bus, Broken)));
        cluster.ErrorsExpected = true;
        var replica = cluster[0];
        using var idle = await cluster.ConnectAsync();
        await Wait.UntilAsync(() => Logged("The check of session ownership failed"), "the watch of ownership to fail");

        // The registry and the store break, too: every loop meets a fault that it does not know.
        cluster.Registry.Fault = replica.Store.Fault = Broken;
        await Wait.UntilAsync(() => Logged("Idle session"), "the sweep to fail");
        await Wait.UntilAsync(() => replica.Get<ReplicaDirectory>().RegistryAway, "the heartbeat to fail");
        cluster.Registry.Fault = replica.Store.Fault = replica.Bus.Fault = null;

        var loops = replica.Get<IEnumerable<IHostedService>>().OfType<BackgroundService>()
            .Where(service => service.GetType().Namespace!.StartsWith("Mcp.HighAvailability.", StringComparison.Ordinal))
            .Where(service => service is not TaskTakeOver) // ends at once in a server without tasks
            .ToList();
        Assert.Contains(loops, loop => loop is OwnershipWatch);
        Assert.Contains(loops, loop => loop is IdleSweep);
        Assert.Contains(loops, loop => loop is BroadcastFollower);
        await Wait.UntilAsync(() => !replica.Get<ReplicaDirectory>().RegistryAway, "the heartbeats to go on");
        await Wait.UntilAsync(() => replica.Session(idle.SessionId!) is null, "the sweep to go on");
        Assert.All(loops, loop => Assert.False(loop.ExecuteTask!.IsCompleted, loop.GetType().Name));
        Assert.False(replica.Get<IHostApplicationLifetime>().ApplicationStopping.IsCancellationRequested);

        using var client = await cluster.ConnectAsync();
        using var stream = await client.GetAsync(replica);
        await stream.NextAsync();
        await replica.Get<IClusterNotifier>().LogAsync(LoggingLevel.Error, null, JsonSerializer.SerializeToElement("heard"));
        Assert.Equal("heard", (string?)(await stream.MessageAsync())["params"]!["data"]);

        bool Logged(string text) => replica.Errors.Any(e => e.Contains(text, StringComparison.Ordinal));
    }
}

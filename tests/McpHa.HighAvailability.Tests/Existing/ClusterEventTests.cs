using System.Collections.Concurrent;
using Mcp.HighAvailability;
using Microsoft.Extensions.Options;
using ModelContextProtocol.Server;

namespace McpHa.Tests;

/// <summary>Events of the application reach handlers on every replica, and keep replicas alike.</summary>
public sealed class ClusterEventTests
{
    private readonly ConcurrentQueue<string> _seen = new();

    [Fact]
    public async Task Every_replica_handles_every_event_once_and_in_one_order()
    {
        await using var cluster = await InProcessCluster.StartAsync(3);
        for (var replica = 0; replica < 3; replica++)
        {
            var number = replica;
            Events(cluster, replica).Subscribe<Price>("price", price =>
            {
                _seen.Enqueue($"{number} {price.Symbol} {price.Value}");
                return ValueTask.CompletedTask;
            });
        }

        for (var n = 0; n < 30; n++)
            await Events(cluster, n % 3).PublishAsync("price", new Price("acme", n));
        await Wait.UntilAsync(() => _seen.Count == 90, "all events");

        for (var replica = 0; replica < 3; replica++)
            Assert.Equal(Enumerable.Range(0, 30).Select(n => $"{replica} acme {n}"), _seen.Where(one => one[0] == '0' + replica));
    }

    [Fact]
    public async Task Other_names_ended_subscriptions_and_handlers_that_fail_disturb_nothing()
    {
        await using var cluster = await InProcessCluster.StartAsync(1);
        cluster.ErrorsExpected = true;
        var events = Events(cluster, 0);
        events.Subscribe<string>("a", value =>
        {
            _seen.Enqueue("a " + value);
            return value == "1" ? throw new InvalidOperationException("on purpose") : ValueTask.CompletedTask;
        });
        var ended = events.Subscribe<string>("a", _ => throw new InvalidOperationException("ended"));
        ended.Dispose();
        await events.PublishAsync("b", "0");
        await events.PublishAsync("a", "1");
        await events.PublishAsync("a", "2");
        await Wait.UntilAsync(() => _seen.Count == 2, "the events");
        Assert.Equal(["a 1", "a 2"], _seen);
        Assert.Contains("event:a", Assert.Single(cluster[0].Errors), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_tool_that_is_run_again_publishes_once()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();
        Events(cluster, 1).Subscribe<string>("done", value =>
        {
            _seen.Enqueue(value);
            return ValueTask.CompletedTask;
        });
        var never = new TaskCompletionSource();
        cluster.Tool.Body = async run =>
        {
            await cluster[run.Replica.ReplicaId == "replica-a" ? 0 : 1].Get<IClusterEvents>().PublishAsync("done", run.Argument);
            await run.ProgressAsync(1);
            if (run.Replica.ReplicaId == "replica-a")
                await cluster.Tool.UntilAsync(never.Task);
            return "done";
        };
        using var old = await client.PostAsync(cluster[0], client.Call("again", "x", progress: true));
        await old.MessageAsync();
        await cluster.CutOffAsync(cluster[0]);
        using var resumed = await client.GetAsync(cluster[1], old.LastId);
        Assert.Equal("done", RawClient.TextOf((await resumed.MessagesAsync())[^1]));
        await Events(cluster, 1).PublishAsync("done", "y");
        await Wait.UntilAsync(() => _seen.Contains("y"), "the last event");
        Assert.Equal(["x", "y"], _seen);
    }

    [Fact]
    public async Task A_tool_that_is_added_at_run_time_is_on_every_replica_and_every_client_is_told()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        for (var replica = 0; replica < 2; replica++)
        {
            var tools = cluster[replica].Get<IOptions<McpServerOptions>>().Value.ToolCollection!;
            Events(cluster, replica).Subscribe<string>("tool-added", name =>
            {
                tools.TryAdd(McpServerTool.Create(() => "new", new() { Name = name, ReadOnly = true }));
                return ValueTask.CompletedTask;
            });
        }

        using var one = await cluster.ConnectAsync();
        using var other = await cluster.ConnectAsync(1);
        using var oneStream = await one.GetAsync(cluster[0]);
        using var otherStream = await other.GetAsync(cluster[1]);

        await Events(cluster, 0).PublishAsync("tool-added", "added");

        foreach (var (client, stream, replica) in new[] { (one, oneStream, 0), (other, otherStream, 1) })
        {
            Assert.Equal("notifications/tools/list_changed", (string?)(await stream.MessageAsync())["method"]);
            Assert.Equal("new", await client.CallAsync(cluster[replica], "added"));
        }
    }

    [Fact]
    public async Task The_client_of_a_session_that_has_moved_and_has_no_server_yet_is_told_too()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();
        await cluster.CutOffAsync(cluster[0]);
        using var stream = await client.GetAsync(cluster[1]);
        await stream.NextAsync();
        Assert.False(cluster[1].Session(client.SessionId!)!.Activation.IsComplete);

        cluster[1].Get<IOptions<McpServerOptions>>().Value.ToolCollection!.Add(McpServerTool.Create(() => "new", new() { Name = "added", ReadOnly = true }));

        Assert.Equal("notifications/tools/list_changed", (string?)(await stream.MessageAsync())["method"]);
        Assert.Equal("new", await client.CallAsync(cluster[1], "added"));
    }

    private static IClusterEvents Events(InProcessCluster cluster, int replica) => cluster[replica].Get<IClusterEvents>();

    private sealed record Price(string Symbol, int Value);
}

using System.Text.Json.Nodes;
using Mcp.HighAvailability;
using ModelContextProtocol.Protocol;

namespace McpHa.Tests;

/// <summary>A session changes its owner while the old one lives on.</summary>
public sealed class TakeOverTests
{
    [Fact]
    public async Task A_session_goes_on_at_another_replica_under_its_id()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();
        Assert.Equal("before", await client.CallAsync(cluster[0], "again", "before"));

        await cluster.CutOffAsync(cluster[0]);

        Assert.Equal("after", await client.CallAsync(cluster[1], "again", "after"));
        Assert.Equal("replica-b", cluster.Snapshot(client.SessionId!)!.Record.Owner);
        Assert.Equal(2, cluster.Snapshot(client.SessionId!)!.Record.Epoch);
    }

    [Fact]
    public async Task A_request_at_a_replica_that_is_not_the_owner_is_served_by_the_owner()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();

        Assert.Equal("x", await client.CallAsync(cluster[1], "once", "x"));

        Assert.Equal(("replica-a", "x"), Assert.Single(cluster.Tool.Log));
        Assert.Equal(1, cluster.Snapshot(client.SessionId!)!.Record.Epoch);
    }

    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    public async Task A_response_that_a_peer_passes_on_goes_on_when_the_owner_is_lost(int replicas)
    {
        await using var cluster = await InProcessCluster.StartAsync(replicas);
        using var client = await cluster.ConnectAsync();
        var never = new TaskCompletionSource();
        cluster.Tool.Body = async run =>
        {
            await run.ProgressAsync(1);
            if (run.Replica.ReplicaId == "replica-a")
                await cluster.Tool.UntilAsync(never.Task);
            await run.ProgressAsync(2);
            return "done";
        };
        using var stream = await client.GetAsync(cluster[1]);
        Assert.Null((await stream.NextAsync())!.Message);
        using var call = await client.PostAsync(cluster[1], client.Call("again", progress: true));
        Assert.Equal(1, (double)(await call.MessageAsync())["params"]!["progress"]!);

        await cluster.CutOffAsync(cluster[0]);
        var rest = await call.MessagesAsync();
        await cluster[replicas - 1].Get<IClusterNotifier>().ToolsChangedAsync();

        Assert.Equal(2, rest.Count);
        Assert.Equal(2, (double)rest[0]["params"]!["progress"]!);
        Assert.Equal("done", RawClient.TextOf(rest[1]));
        Assert.Equal(call.Seen.Select(e => e.Id).Distinct(), call.Seen.Select(e => e.Id));
        Assert.Equal("notifications/tools/list_changed", (string?)(await stream.MessageAsync())["method"]);
    }

    [Fact]
    public async Task Of_two_replicas_that_take_over_at_once_one_wins_and_the_other_forwards_to_it()
    {
        await using var cluster = await InProcessCluster.StartAsync(3);
        using var client = await cluster.ConnectAsync();
        await cluster.CutOffAsync(cluster[0]);
        var b = cluster[1].Store.StopBefore("TakeOverAsync");
        var c = cluster[2].Store.StopBefore("TakeOverAsync");

        var one = client.CallAsync(cluster[1], "once", "1");
        var two = client.CallAsync(cluster[2], "once", "2");
        await Task.WhenAll(b.Reached, c.Reached);
        b.LetGo();
        c.LetGo();

        Assert.Equal(["1", "2"], await Task.WhenAll(one, two));
        Assert.Equal(2, cluster.Snapshot(client.SessionId!)!.Record.Epoch);
        Assert.Single(cluster.Tool.Log.Select(l => l.Replica).Distinct());
        Assert.Equal(2, cluster.Tool.Runs);
    }

    [Fact]
    public async Task A_look_at_the_owner_that_is_out_of_date_does_not_serve_an_epoch_twice()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();
        await cluster.CutOffAsync(cluster[0]);
        var looked = cluster[1].Store.StopAfter("FindAsync");
        var late = client.CallAsync(cluster[1], "once", "late");
        await looked.Reached;
        Assert.Equal("early", await client.CallAsync(cluster[1], "once", "early"));
        var session = cluster[1].Session(client.SessionId!);

        looked.LetGo();

        Assert.Equal("late", await late);
        Assert.Same(session, cluster[1].Session(client.SessionId!));
        Assert.Equal(2, cluster.Snapshot(client.SessionId!)!.Record.Epoch);
    }

    [Fact]
    public async Task A_session_whose_requests_all_came_before_keeps_log_level_subscription_and_revision()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync(version: "2025-06-18");
        foreach (var (method, parameters) in new[]
        {
            ("logging/setLevel", new JsonObject { ["level"] = "error" }),
            ("resources/subscribe", new JsonObject { ["uri"] = "test://one" }),
            ("resources/subscribe", new JsonObject { ["uri"] = "test://two" }),
            ("resources/unsubscribe", new JsonObject { ["uri"] = "test://two" }),
        })
        {
            using var answer = await client.PostAsync(cluster[0], client.Request(method, parameters));
            Assert.NotNull((await answer.AnswerAsync())["result"]);
        }

        await cluster.CutOffAsync(cluster[0]);
        string? negotiated = null;
        LoggingLevel? level = null;
        cluster.Tool.Body = run =>
        {
            (negotiated, level) = (run.Server.NegotiatedProtocolVersion, run.Server.LoggingLevel);
            return Task.FromResult("");
        };
        await client.CallAsync(cluster[1], "again");

        var session = cluster[1].Session(client.SessionId!)!;
        Assert.Equal((LoggingLevel.Error, LoggingLevel.Error), (session.LogLevel(), level));
        Assert.True(session.IsSubscribed("test://one"));
        Assert.False(session.IsSubscribed("test://two"));
        Assert.Equal("2025-06-18", negotiated);
    }
}

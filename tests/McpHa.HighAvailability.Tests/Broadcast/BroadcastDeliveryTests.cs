using System.Text.Json;
using System.Text.Json.Nodes;
using Mcp.HighAvailability;
using Mcp.HighAvailability.Broadcast;
using Mcp.HighAvailability.Protocol;
using Mcp.HighAvailability.Storage;
using ModelContextProtocol.Protocol;

namespace McpHa.Tests;

/// <summary>A session gets every broadcast once and in order, whatever happens to its owner, its streams and the store.</summary>
public sealed class BroadcastDeliveryTests
{
    [Theory]
    [InlineData("ReleaseAsync", 0)]
    [InlineData("TakeOverAsync", 1)]
    public async Task A_broadcast_that_comes_while_a_session_moves_reaches_it_once(string step, int at)
    {
        await using var cluster = await InProcessCluster.StartAsync(options: o => o.DrainTimeout = TimeSpan.FromSeconds(60));
        using var listener = await cluster.ConnectAsync(0);

        // A call of another session keeps the replica from ending meanwhile.
        using var busy = await cluster.ConnectAsync(0);
        var end = new TaskCompletionSource();
        cluster.Tool.Body = async run =>
        {
            await cluster.Tool.UntilAsync(end.Task);
            return run.Argument;
        };
        var running = busy.CallAsync(cluster[0], "again");
        await Wait.UntilAsync(() => cluster.Tool.Runs == 1, "the other session's call to run");
        using var first = await listener.GetAsync(cluster[0]);
        await SayAsync(cluster[1], "before");
        Assert.Equal("before", await HeardAsync(first));

        var moving = cluster[at].Store.StopBefore(step, id => (string)id! == listener.SessionId);
        var stopping = cluster[0].StopAsync();
        await moving.Reached;
        await SayAsync(cluster[1], "between");
        await Wait.UntilAsync(() => Heads(cluster).Distinct().Count() == 1, "both replicas to hear of the second");
        moving.LetGo();
        await Wait.UntilAsync(() => cluster[1].Session(listener.SessionId!) is { Epoch: 2 }, "the session to live at the other replica");
        await SayAsync(cluster[1], "after");

        using var second = await listener.GetAsync(cluster[1], first.LastId);
        Assert.Equal("between", await HeardAsync(second));
        Assert.Equal("after", await HeardAsync(second));
        end.SetResult();
        await running;
        await stopping;
    }

    [Fact]
    public async Task A_session_without_a_stream_writes_nothing_and_gets_what_it_has_missed_from_its_next_owner_too()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        await SayAsync(cluster[0], "before the session");
        using var client = await cluster.ConnectAsync(0);
        await client.CallAsync(cluster[0], "once", "x");
        var commit = cluster.Snapshot(client.SessionId!)!.Record.LastCommit;
        await SayAsync(cluster[1], "1", "2");

        await cluster.CutOffAsync(cluster[0]);
        using var stream = await client.GetAsync(cluster[1]);

        Assert.Equal("1", await HeardAsync(stream));
        Assert.Equal("2", await HeardAsync(stream));
        await SayAsync(cluster[1], "3");
        Assert.Equal("3", await HeardAsync(stream));
        Assert.InRange(cluster.Snapshot(client.SessionId!)!.Record.LastCommit, commit, commit + 2); // of the take-over and the second owner's first stream
    }

    [Fact]
    public async Task A_broadcast_is_one_append_and_no_write_for_any_session()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        List<RawClient> clients = [];
        List<Exchange> streams = [];
        for (var n = 0; n < 20; n++)
        {
            clients.Add(await cluster.ConnectAsync(n % 2));
            streams.Add(await clients[^1].GetAsync(cluster[n % 2]));
            await streams[^1].NextAsync();
        }

        var commits = clients.Sum(client => cluster.Snapshot(client.SessionId!)!.Record.LastCommit);
        var before = Appends(cluster);
        await SayAsync(cluster[0], "1", "2", "3");

        foreach (var stream in streams)
        {
            foreach (var expected in new[] { "1", "2", "3" })
                Assert.Equal(expected, await HeardAsync(stream));
        }

        Assert.Equal(3, Appends(cluster) - before);
        Assert.Equal(commits, clients.Sum(client => cluster.Snapshot(client.SessionId!)!.Record.LastCommit));
        streams.ForEach(stream => stream.Dispose());
        clients.ForEach(client => client.Dispose());
    }

    [Fact]
    public async Task A_resume_gets_what_is_missing_of_both_the_log_and_the_journal()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync(0);
        using var first = await client.GetAsync(cluster[0]);
        await SayAsync(cluster[0], "1");
        Assert.Equal("1", await HeardAsync(first));
        var seen = first.LastId;
        await SayAsync(cluster[1], "2");
        Assert.Equal("2", await HeardAsync(first));
        await cluster[0].Session(client.SessionId!)!.Unrelated.SendAsync(new JsonRpcNotification { Method = "notifications/own" }, default);
        Assert.Equal("notifications/own", (string?)(await first.MessageAsync())["method"]);
        await SayAsync(cluster[0], "3");
        Assert.Equal("3", await HeardAsync(first));

        await cluster.CutOffAsync(cluster[0]);
        using var resumed = await client.GetAsync(cluster[1], seen);
        var messages = new[] { await resumed.MessageAsync(), await resumed.MessageAsync(), await resumed.MessageAsync() };

        Assert.Equal(["notifications/own"], messages.Select(Method).Where(method => method != NotificationMethods.LoggingMessageNotification));
        Assert.Equal(["2", "3"], messages.Where(message => Method(message) == NotificationMethods.LoggingMessageNotification).Select(Data));
        await SayAsync(cluster[1], "4");
        Assert.Equal("4", await HeardAsync(resumed));
        Assert.Equal(resumed.Seen.Count, resumed.Seen.Select(e => e.Id).Distinct().Count());
    }

    [Fact]
    public async Task Two_streams_of_a_session_share_the_broadcasts_and_each_resumes_its_own_at_the_next_owner()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync(0);
        using var first = await client.GetAsync(cluster[0]);
        var started = (await first.NextAsync())!.Id;
        await SayAsync(cluster[0], "1", "2");
        Assert.Equal(["1", "2"], [await HeardAsync(first), await HeardAsync(first)]);
        using var second = await client.GetAsync(cluster[0]);
        var begun = (await second.NextAsync())!.Id;
        await SayAsync(cluster[0], "3", "4");
        Assert.Equal(["3", "4"], [await HeardAsync(second), await HeardAsync(second)]);
        second.Dispose();
        await Wait.UntilAsync(() => cluster[0].Session(client.SessionId!)!.ReaderCount == 1, "the second stream to end");
        await SayAsync(cluster[0], "5");
        Assert.Equal("5", await HeardAsync(first));
        var last = first.LastId;

        await cluster.CutOffAsync(cluster[0]);
        using var firstAgain = await client.GetAsync(cluster[1], started);
        Assert.Equal(["1", "2", "5"], [await HeardAsync(firstAgain), await HeardAsync(firstAgain), await HeardAsync(firstAgain)]);
        Assert.Equal(last, firstAgain.LastId);
        using var secondAgain = await client.GetAsync(cluster[1], begun);
        Assert.Equal(["3", "4"], [await HeardAsync(secondAgain), await HeardAsync(secondAgain)]);
        await SayAsync(cluster[1], "6");
        Assert.Equal("6", await HeardAsync(secondAgain));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Who_comes_back_after_the_retention_is_told_that_there_is_a_gap_and_once(bool theOtherReplicaHearsAll)
    {
        await using var cluster = await InProcessCluster.StartAsync();
        cluster.BroadcastBounds.MaxEntries = 3;
        using var client = await cluster.ConnectAsync(0);
        using var first = await client.GetAsync(cluster[0]);
        await SayAsync(cluster[0], "1");
        Assert.Equal("1", await HeardAsync(first));
        var seen = first.LastId;
        first.Dispose();
        await Wait.UntilAsync(() => cluster[0].Session(client.SessionId!)!.ReaderCount == 0, "the stream to end");
        cluster[1].Bus.Cut = !theOtherReplicaHearsAll;
        await SayAsync(cluster[0], "2", "3", "4", "5");
        if (theOtherReplicaHearsAll)
            await Wait.UntilAsync(() => cluster[1].Get<BroadcastFollower>().Last.Position.Number == 5, "the other replica to hear them");

        using var resumed = await client.GetAsync(cluster[0], seen);
        var told = await resumed.MessageAsync();
        Assert.Equal(("warning", BroadcastGap.Logger, BroadcastGap.Text), ((string?)told["params"]!["level"], (string?)told["params"]!["logger"], Data(told)));
        var afterGap = resumed.LastId;
        Assert.Equal(["3", "4", "5"], [await HeardAsync(resumed), await HeardAsync(resumed), await HeardAsync(resumed)]);

        // Told once: the notice has an id of its own.
        await cluster.CutOffAsync(cluster[0]);
        using var again = await client.GetAsync(cluster[1], afterGap);
        Assert.Equal(["3", "4", "5"], [await HeardAsync(again), await HeardAsync(again), await HeardAsync(again)]);
    }

    [Theory]
    [InlineData(NotificationMethods.LoggingMessageNotification, "between")]
    [InlineData(NotificationMethods.ResourceUpdatedNotification)]
    public async Task Who_comes_back_with_the_notice_of_a_gap_gets_nothing_again(string method, params string[] wanted)
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync(0);
        using var first = await client.GetAsync(cluster[0]);
        await SayAsync(cluster[0], "1");
        Assert.Equal("1", await HeardAsync(first));
        await Wait.UntilAsync(() => Heads(cluster).Distinct().Count() == 1, "both replicas to hear of it");

        // The log is lost, and goes on with an entry of a replica that has heard of nothing.
        cluster.Broadcasts.Wipe();
        var message = new JsonRpcNotification { Method = method, Params = new JsonObject { ["level"] = "info", ["data"] = "between", ["uri"] = "any:uri" } };
        await cluster.Broadcasts.AppendAsync(new() { Kind = BroadcastKinds.Notification, Id = "between", Payload = JsonRpc.Serialize(message) }, default);
        Assert.Equal(BroadcastGap.Text, await HeardAsync(first));
        var notice = first.LastId;
        await Wait.UntilAsync(() => Heads(cluster).Distinct().Count() == 1, "both replicas to hear of what follows");

        await cluster.CutOffAsync(cluster[0]);
        using var resumed = await client.GetAsync(cluster[1], notice);
        await SayAsync(cluster[1], "2");
        List<string?> heard = [];
        while (heard is not [.., "2"])
            heard.Add(await HeardAsync(resumed));

        Assert.Equal([.. wanted, "2"], heard.Where(text => text != BroadcastGap.Text));
    }

    [Fact]
    public async Task A_gap_is_told_at_once_and_once_if_nothing_came_behind_it()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync(0);
        using var first = await client.GetAsync(cluster[0]);
        await SayAsync(cluster[0], "1");
        Assert.Equal("1", await HeardAsync(first));

        // A position in an incarnation of the log that the replica has never read.
        Assert.True(SseEventId.TryParse(first.LastId, out var id));
        var unheard = id with { Broadcast = new(id.Broadcast!.Value.Incarnation + 1, 5) };
        using var resumed = await client.GetAsync(cluster[0], unheard.ToString());
        Assert.Equal(BroadcastGap.Text, await HeardAsync(resumed));

        using var again = await client.GetAsync(cluster[0], resumed.LastId);
        await SayAsync(cluster[0], "2");
        Assert.Equal("2", await HeardAsync(again));
    }

    [Fact]
    public async Task A_session_that_wants_nothing_of_the_log_does_not_fall_behind_it()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        cluster.BroadcastBounds.MaxEntries = 8;
        using var client = await cluster.ConnectAsync(0);
        using var stream = await client.GetAsync(cluster[0]);
        await stream.NextAsync();
        for (var n = 0; n < 20; n++)
        {
            // A quarter of the retention.
            await cluster[1].Get<IClusterNotifier>().ResourceUpdatedAsync($"test://{n}");
            await cluster[1].Get<IClusterNotifier>().ResourceUpdatedAsync($"test://{n}");
            Assert.Null((await stream.NextAsync())!.Message);
        }

        await cluster.CutOffAsync(cluster[0]);
        using var resumed = await client.GetAsync(cluster[1], stream.LastId);
        await SayAsync(cluster[1], "1");
        Assert.Equal("1", await HeardAsync(resumed));
    }

    [Fact]
    public async Task A_store_that_has_lost_its_data_loses_no_broadcast_that_was_heard_and_positions_are_not_confused()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync(0);
        using var stream = await client.GetAsync(cluster[0]);
        await SayAsync(cluster[0], "1", "2");
        Assert.Equal(["1", "2"], [await HeardAsync(stream), await HeardAsync(stream)]);
        var seen = stream.LastId;
        await Wait.UntilAsync(() => Heads(cluster).Distinct().Count() == 1, "both replicas to hear of the second");

        cluster.Broadcasts.Wipe();
        await SayAsync(cluster[0], "3");
        Assert.Equal("3", await HeardAsync(stream));
        await Wait.UntilAsync(() => Heads(cluster).Distinct().Count() == 1, "both replicas to hear of the third");

        await cluster.CutOffAsync(cluster[0]);
        using var resumed = await client.GetAsync(cluster[1], seen);
        Assert.Equal("3", await HeardAsync(resumed));
        await SayAsync(cluster[1], "4");
        Assert.Equal("4", await HeardAsync(resumed));
    }

    [Fact]
    public async Task A_tool_that_is_run_again_does_not_publish_twice()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var listener = await cluster.ConnectAsync(1);
        using var stream = await listener.GetAsync(cluster[1]);
        using var caller = await cluster.ConnectAsync(0);
        var (published, goOn) = (new TaskCompletionSource(), new TaskCompletionSource());
        cluster.Tool.Body = async run =>
        {
            var notifier = cluster[1].Get<IClusterNotifier>();
            await notifier.LogAsync(LoggingLevel.Info, null, JsonSerializer.SerializeToElement($"first of run {cluster.Tool.Runs}"));
            await notifier.ResourcesChangedAsync();
            published.TrySetResult();
            if (cluster.Tool.Runs == 1)
                await cluster.Tool.UntilAsync(goOn.Task);
            await notifier.LogAsync(LoggingLevel.Info, null, JsonSerializer.SerializeToElement($"second of run {cluster.Tool.Runs}"));
            return run.Argument;
        };
        var call = caller.Call("again", "x");
        var lost = caller.PostAsync(cluster[0], call);
        await published.Task.WaitAsync(Wait.Limit);

        await cluster.CutOffAsync(cluster[0]);
        using var repeated = await caller.PostAsync(cluster[1], call);
        await repeated.AnswerAsync();
        await SayAsync(cluster[1], "last");

        var messages = new List<JsonNode>();
        while (messages is not [.., var last] || Data(last) != "last")
            messages.Add(await stream.MessageAsync());
        Assert.Equal(
            ["first of run 1", NotificationMethods.ResourceListChangedNotification, "second of run 2", "last"],
            messages.Select(message => Data(message) ?? Method(message)));
        goOn.SetResult();
        await Record.ExceptionAsync(() => lost);
    }

    [Fact]
    public async Task While_the_store_is_away_a_broadcast_waits_and_is_refused_when_that_takes_too_long()
    {
        await using var cluster = await InProcessCluster.StartAsync(1, o => o.DurableTimeout = TimeSpan.FromMilliseconds(200));
        using var client = await cluster.ConnectAsync(0);
        using var stream = await client.GetAsync(cluster[0]);
        await stream.NextAsync();

        cluster.TakeStoreFrom(0);
        await Assert.ThrowsAsync<StoreUnavailableException>(() => SayAsync(cluster[0], "never"));
        cluster.TakeStoreFrom();
        await SayAsync(cluster[0], "now");

        Assert.Equal("now", await HeardAsync(stream));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public async Task The_stream_of_a_call_that_is_resumed_gets_no_broadcast(int at)
    {
        await using var cluster = await InProcessCluster.StartAsync();
        await SayAsync(cluster[1], "1", "2");
        await Wait.UntilAsync(() => Heads(cluster).Distinct().Count() == 1, "both replicas to hear of both");
        using var client = await cluster.ConnectAsync();
        var finish = new TaskCompletionSource();
        cluster.Tool.Body = async run =>
        {
            await cluster.Tool.UntilAsync(finish.Task);
            return "done";
        };
        using var call = await client.PostAsync(cluster[0], client.Call("again"));
        Assert.Null((await call.NextAsync())!.Message);
        if (at != 0)
            await cluster.CutOffAsync(cluster[0]);

        using var resumed = await client.GetAsync(cluster[at], call.LastId);
        finish.SetResult();

        Assert.Equal("done", RawClient.TextOf(Assert.Single(await resumed.MessagesAsync())));
    }

    private static async Task SayAsync(InProcessReplica replica, params string[] texts)
    {
        foreach (var text in texts)
            await replica.Get<IClusterNotifier>().LogAsync(LoggingLevel.Info, null, JsonSerializer.SerializeToElement(text));
    }

    private static async Task<string?> HeardAsync(Exchange stream) => Data(await stream.MessageAsync());

    private static string? Data(JsonNode message) => (string?)message["params"]?["data"];

    private static string? Method(JsonNode message) => (string?)message["method"];

    private static IEnumerable<BroadcastPosition> Heads(InProcessCluster cluster) => new[] { cluster[0], cluster[1] }.Select(replica => replica.Get<BroadcastFollower>().Last.Position);

    private static int Appends(InProcessCluster cluster) => new[] { cluster[0], cluster[1] }.Sum(replica => ((InterceptedBroadcastLog)replica.Get<IBroadcastLog>()).Appends);
}

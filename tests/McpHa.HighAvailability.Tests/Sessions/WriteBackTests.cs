using System.Net;
using System.Text.Json.Nodes;
using Mcp.HighAvailability.Sessions;
using Mcp.HighAvailability.Storage;
using ModelContextProtocol.Protocol;

namespace McpHa.Tests;

/// <summary>The store has lost its data, the owner writes the session back, and then the owner is lost, too.</summary>
public sealed class WriteBackTests
{
    [Fact]
    public async Task What_an_open_call_has_sent_and_asked_is_neither_lost_nor_repeated()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();
        var lost = new TaskCompletionSource();
        cluster.Tool.Body = async run =>
        {
            await run.ProgressAsync(1);
            await run.LogAsync("one");
            await run.ProgressAsync(2);
            var name = run.AskAsync("name?");
            await run.ProgressAsync(3);
            if (run.Replica.ReplicaId == "replica-a")
                await cluster.Tool.UntilAsync(lost.Task);
            await run.ProgressAsync(4);
            return await name;
        };
        using var call = await client.PostAsync(cluster[0], client.Call("again", progress: true));
        await call.MessageAsync();
        var afterFirst = call.LastId;
        List<JsonNode> seen = [await call.MessageAsync(), await call.MessageAsync(), await call.MessageAsync(), await call.MessageAsync()];
        cluster.Sessions.Clear();
        await cluster[0].Session(client.SessionId!)!.VerifyAsync();
        await cluster.CutOffAsync(cluster[0]);

        // Not only what comes now: also what was sent before the loss, and was on its way to the client.
        using var resumed = await client.GetAsync(cluster[1], afterFirst);
        for (var n = 0; n < 4; n++)
            Assert.Equal(seen[n].ToJsonString(), (await resumed.MessageAsync()).ToJsonString());
        Assert.Equal(4, (int)(await resumed.MessageAsync())["params"]!["progress"]!);
        using var accepted = await client.PostAsync(cluster[1], RawClient.Answer(seen.Single(m => (string?)m["method"] == "elicitation/create"), "Ada"));
        Assert.Equal("Ada", RawClient.TextOf(Assert.Single(await resumed.MessagesAsync())));
    }

    [Fact]
    public async Task What_the_store_has_never_had_is_written_back_however_much_it_is()
    {
        const int Steps = 40;
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();
        var away = new TaskCompletionSource();
        cluster.Tool.Body = async run =>
        {
            await run.ProgressAsync(1);
            await cluster.Tool.UntilAsync(away.Task);
            // No caller waits here for the store, and the call ends before it is back: from then on its owner remembers little of it.
            for (var step = 2; step <= Steps; step++)
                _ = run.ProgressAsync(step);
            return "done";
        };
        string first;
        using (var call = await client.PostAsync(cluster[0], client.Call("again", progress: true)))
        {
            await call.MessageAsync();
            first = call.LastId;
        }

        cluster[0].Store.Away = true;
        away.SetResult();
        await Wait.UntilAsync(() => cluster[0].Session(client.SessionId!)!.CallsInFlight.Count == 0, "the call to end");
        cluster.Sessions.Clear();
        cluster[0].Store.Away = false;
        await cluster[0].Session(client.SessionId!)!.VerifyAsync();

        using var resumed = await client.GetAsync(cluster[0], first);
        for (var step = 2; step <= Steps; step++)
            Assert.Equal(step, (int)(await resumed.MessageAsync())["params"]!["progress"]!);
        Assert.Equal("done", RawClient.TextOf(await resumed.MessageAsync()));
    }

    [Fact]
    public async Task What_waits_for_a_GET_stream_is_delivered_once()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();
        for (var n = 1; n <= 50; n++)
            await SendAsync(cluster[0], client, n);
        cluster.Sessions.Clear();

        // At once, before the owner has written anything.
        using (var stream = await client.GetAsync(cluster[0]))
        {
            Assert.Equal(Enumerable.Range(1, 50), await NumbersAsync(stream, 50));
        }

        await Wait.UntilAsync(() => cluster[0].Session(client.SessionId!)!.ReaderCount == 0, "the stream to end");
        await SendAsync(cluster[0], client, 51);
        cluster.Sessions.Clear();
        await cluster[0].Session(client.SessionId!)!.VerifyAsync();
        await cluster.CutOffAsync(cluster[0]);
        using var next = await client.GetAsync(cluster[1]);
        Assert.Equal([51], await NumbersAsync(next, 1));
    }

    [Fact]
    public async Task A_GET_stream_goes_on_with_what_was_not_read_and_says_so_when_that_is_too_much()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();
        using var stream = await client.GetAsync(cluster[0]);
        for (var n = 1; n <= 3; n++)
            await SendAsync(cluster[0], client, n);
        await NumbersAsync(stream, 1);
        var afterFirst = stream.LastId;
        await NumbersAsync(stream, 2);
        cluster.Sessions.Clear();
        await cluster[0].Session(client.SessionId!)!.VerifyAsync();

        using (var resumed = await client.GetAsync(cluster[0], afterFirst))
        {
            Assert.Equal([2, 3], await NumbersAsync(resumed, 2));
        }

        for (var n = 4; n <= 100; n++)
            await SendAsync(cluster[0], client, n);
        cluster.Sessions.Clear();
        await cluster[0].Session(client.SessionId!)!.VerifyAsync();
        await cluster.CutOffAsync(cluster[0]);
        using var gap = await client.GetAsync(cluster[1], afterFirst);
        Assert.Equal(HttpStatusCode.BadRequest, gap.Status);
        Assert.Contains("no longer kept", await gap.BodyAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_answer_and_its_change_of_state_are_written_back_together_though_they_were_never_committed()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();
        cluster.Tool.Body = async run => $"{await run.State.UpdateAsync<int>("n", n => n + 1)}";
        await client.CallAsync(cluster[0], "again");
        var session = cluster[0].Session(client.SessionId!)!;
        var verifying = cluster[0].Store.StopBefore("CommitAsync", c => ((SessionCommit)c!).Append.Count == 0);
        session.Check();
        await verifying.Reached;
        var call = client.PostAsync(cluster[0], client.Call("again"));
        await Wait.UntilAsync(() => cluster.Tool.Runs == 2 && session.CallsInFlight.Count == 0, "the answer to wait for the store");
        var writtenBack = cluster[0].Store.StopAfter("WriteBackAsync");
        cluster.Sessions.Clear();
        verifying.LetGo();
        await writtenBack.Reached;

        // The write-back has all, and nothing else will ever be written by this owner.
        Assert.Equal("2", cluster.State(client.SessionId!).Select(s => SessionSamples.Text(s.Value)).Single());
        await cluster.CutOffAsync(cluster[0]);
        Assert.Equal("3", await client.CallAsync(cluster[1], "again"));
        using var resumed = await client.GetAsync(cluster[1], "c1x2-0");
        Assert.Equal("2", RawClient.TextOf(Assert.Single(await resumed.MessagesAsync())));
        Assert.Equal(3, cluster.Tool.Runs);
        Assert.False(call.IsCompleted);
        writtenBack.LetGo();
        (await call).Dispose();
    }

    [Fact]
    public async Task A_session_is_handed_over_although_the_store_has_lost_it()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();
        cluster.Tool.Body = async run => $"{await run.State.UpdateAsync<int>("n", n => n + 1)}";
        await client.CallAsync(cluster[0], "again");
        cluster.Sessions.Clear();

        await new HandOver(cluster[0].Session(client.SessionId!)!).ReleaseAsync(evenWithCalls: true, default);

        Assert.Equal("2", await client.CallAsync(cluster[1], "again"));
    }

    [Fact]
    public async Task A_session_is_handed_over_although_the_store_loses_it_again_meanwhile()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();
        cluster.Tool.Body = async run => $"{await run.State.UpdateAsync<int>("n", n => n + 1)}";
        await client.CallAsync(cluster[0], "again");
        cluster.Sessions.Clear();
        var writtenBack = cluster[0].Store.StopAfter("WriteBackAsync");

        var handingOver = new HandOver(cluster[0].Session(client.SessionId!)!).ReleaseAsync(evenWithCalls: true, default);
        await writtenBack.Reached;
        cluster.Sessions.Clear();
        writtenBack.LetGo();
        await handingOver;

        Assert.Equal("2", await client.CallAsync(cluster[1], "again"));
    }

    [Fact]
    public async Task An_answer_is_resumed_although_the_store_loses_it_before_the_journal_is_read()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();
        var finish = new TaskCompletionSource();
        cluster.Tool.Body = async run =>
        {
            await run.ProgressAsync(1);
            await cluster.Tool.UntilAsync(finish.Task);
            return "done";
        };
        string first;
        using (var call = await client.PostAsync(cluster[0], client.Call("again", progress: true)))
        {
            await call.MessageAsync();
            first = call.LastId;
        }

        finish.SetResult();
        var session = cluster[0].Session(client.SessionId!)!;
        await Wait.UntilAsync(() => session.CallsInFlight.Count == 0, "the call to end");
        await session.VerifyAsync();
        var committed = cluster[0].Store.StopAfter("CommitAsync");

        var resuming = client.GetAsync(cluster[0], first);
        await committed.Reached;
        cluster.Sessions.Clear();
        committed.LetGo();

        using var resumed = await resuming;
        Assert.Equal("done", RawClient.TextOf(await resumed.MessageAsync()));
    }

    [Fact]
    public async Task The_stream_of_a_call_that_was_cancelled_has_ended_for_every_later_owner()
    {
        await using var cluster = await InProcessCluster.StartAsync(3);
        using var client = await cluster.ConnectAsync();
        cluster.Tool.Body = async run =>
        {
            await run.ProgressAsync(1);
            await Task.Delay(Timeout.Infinite, run.Cancelled);
            return "";
        };
        var request = client.Call("again", progress: true);
        using var call = await client.PostAsync(cluster[0], request);
        await call.MessageAsync();
        using var cancelled = await client.PostAsync(cluster[0], RawClient.Cancel(request));
        Assert.Equal(HttpStatusCode.Accepted, cancelled.Status);

        await cluster.CutOffAsync(cluster[0]);
        using (var resumed = await client.GetAsync(cluster[1], call.LastId))
        {
            Assert.Equal(HttpStatusCode.NoContent, resumed.Status);
        }

        cluster.Sessions.Clear();
        await cluster[1].Session(client.SessionId!)!.VerifyAsync();
        await cluster.CutOffAsync(cluster[1]);
        using var again = await client.GetAsync(cluster[2], call.LastId);
        Assert.Equal(HttpStatusCode.NoContent, again.Status);
        Assert.Equal(1, cluster.Tool.Runs);
    }

    private static Task SendAsync(InProcessReplica replica, RawClient client, int number) =>
        replica.Session(client.SessionId!)!.Unrelated.SendAsync(
            new JsonRpcNotification
            {
                Method = NotificationMethods.LoggingMessageNotification,
                Params = new JsonObject { ["level"] = "info", ["data"] = number },
            },
            default);

    private static async Task<List<int>> NumbersAsync(Exchange stream, int count)
    {
        List<int> numbers = [];
        while (numbers.Count < count)
            numbers.Add((int)(await stream.MessageAsync())["params"]!["data"]!);
        return numbers;
    }
}

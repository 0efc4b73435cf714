using System.Net;
using System.Text.Json.Nodes;
using Mcp.HighAvailability;

namespace McpHa.Tests;

/// <summary>A store that stays away while a session is busy: notifications are dropped, then calls are refused, and every answer arrives.</summary>
public sealed class PressureTests
{
    private static readonly string Large = new('x', 2_500_000);

    [Theory]
    [InlineData(Durability.Durable)]
    [InlineData(Durability.Fast)]
    public async Task Every_answer_arrives_when_more_entries_wait_than_fit(Durability durability)
    {
        await using var cluster = await InProcessCluster.StartAsync(1, o => (o.PendingEntries, o.Durability) = (50, durability), o => o.JournalEntries = 50);
        using var client = await cluster.ConnectAsync();
        using var dropped = new Counted(cluster[0], "mcp.ha.events.given_up");
        var (begun, finish) = (new SemaphoreSlim(0), new TaskCompletionSource());
        cluster.Tool.Body = async run =>
        {
            begun.Release();
            await cluster.Tool.UntilAsync(finish.Task);
            for (var n = 1; n <= 20; n++)
                _ = run.ProgressAsync(n);
            return $"{await run.State.UpdateAsync<int>("n", n => n + 1)}";
        };
        var calls = Enumerable.Range(0, 20).Select(_ => client.PostAsync(cluster[0], client.Call("once", progress: true))).ToList();
        for (var n = 0; n < calls.Count; n++)
            Assert.True(await begun.WaitAsync(Wait.Limit));
        await Task.WhenAll(calls);

        cluster[0].Store.Away = true;
        finish.SetResult();
        await Wait.UntilAsync(() => cluster[0].Session(client.SessionId!)!.CallsInFlight.Count == 0, "all calls to end");
        cluster[0].Store.Away = false;

        List<string> answers = [];
        foreach (var call in calls)
        {
            using var answered = await call;
            answers.Add(RawClient.TextOf(await answered.AnswerAsync()));
        }

        Assert.Equal(Enumerable.Range(1, 20), answers.Select(int.Parse).Order());
        Assert.True(dropped.Value > 0);
    }

    [Fact]
    public async Task Every_large_answer_arrives_when_more_bytes_wait_than_fit()
    {
        await using var cluster = await InProcessCluster.StartAsync(1);
        using var client = await cluster.ConnectAsync();
        var (begun, finish) = (new SemaphoreSlim(0), new TaskCompletionSource());
        cluster.Tool.Body = async run =>
        {
            begun.Release();
            await cluster.Tool.UntilAsync(finish.Task);
            return Large + run.Argument;
        };
        var calls = Enumerable.Range(0, 6).Select(n => client.PostAsync(cluster[0], client.Call("once", $"{n}"))).ToList();
        for (var n = 0; n < calls.Count; n++)
            Assert.True(await begun.WaitAsync(Wait.Limit));
        // Half of the clients lose their response, and find the answer in the journal when they resume.
        var cursors = new string[calls.Count];
        for (var n = 0; n < calls.Count; n += 2)
        {
            var lost = await calls[n];
            await lost.NextAsync();
            cursors[n] = lost.LastId;
            lost.Dispose();
        }

        var session = cluster[0].Session(client.SessionId!)!;
        await Wait.UntilAsync(() => session.ReaderCount == calls.Count / 2, "the responses to be lost");
        cluster[0].Store.Away = true;
        finish.SetResult();
        await Wait.UntilAsync(() => session.CallsInFlight.Count == 0, "all calls to end");
        cluster[0].Store.Away = false;

        for (var n = 0; n < calls.Count; n++)
        {
            using var answered = n % 2 == 0 ? await client.GetAsync(cluster[0], cursors[n]) : await calls[n];
            Assert.Equal(HttpStatusCode.OK, answered.Status);
            Assert.EndsWith($"x{n}", RawClient.TextOf(await answered.AnswerAsync()), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task New_calls_are_refused_before_they_run_when_answers_fill_what_may_wait_and_run_when_the_store_is_back()
    {
        await using var cluster = await InProcessCluster.StartAsync(1, o => o.HoldTime = TimeSpan.Zero);
        using var client = await cluster.ConnectAsync();
        using var other = await cluster.ConnectAsync();
        var (begun, finish) = (new SemaphoreSlim(0), new TaskCompletionSource());
        cluster.Tool.Body = async run =>
        {
            begun.Release();
            await cluster.Tool.UntilAsync(finish.Task);
            return Large;
        };
        var calls = Enumerable.Range(0, 4).Select(_ => client.PostAsync(cluster[0], client.Call("once"))).ToList();
        for (var n = 0; n < calls.Count; n++)
            Assert.True(await begun.WaitAsync(Wait.Limit));
        cluster[0].Store.Away = true;
        cluster[0].Session(client.SessionId!)!.Check(); // a commit that is under way, behind which the answers gather
        await Wait.UntilAsync(() => cluster[0].Store.Refused > 0, "a commit to fail");
        finish.SetResult();
        await Wait.UntilAsync(() => cluster[0].Session(client.SessionId!)!.IsBehind, "the answers to fill what may wait");

        using var refused = await client.PostAsync(cluster[0], client.Call("again", "refused"));

        Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.Status);
        Assert.Equal("1", refused.Header("Retry-After"));
        var error = (await refused.JsonAsync())["error"]!;
        Assert.Equal(-32012, (int)error["code"]!);
        Assert.Contains("HighAvailability:PendingEntries", (string)error["message"]!, StringComparison.Ordinal);
        Assert.DoesNotContain(cluster.Tool.Log, run => run.Argument == "refused");
        Assert.False(cluster[0].Session(other.SessionId!)!.IsBehind);

        cluster[0].Store.Away = false;
        foreach (var call in calls)
            Assert.Equal(Large, RawClient.TextOf(await (await call).AnswerAsync()));
        await Wait.UntilAsync(() => !cluster[0].Session(client.SessionId!)!.IsBehind, "the answers to be written");
        Assert.Equal(Large, await client.CallAsync(cluster[0], "again"));
    }

    [Fact]
    public async Task Progress_and_log_messages_go_first_oldest_first_and_the_streams_show_no_gap()
    {
        await using var cluster = await InProcessCluster.StartAsync(1, o => o.PendingEntries = 8);
        using var client = await cluster.ConnectAsync();
        using var dropped = new Counted(cluster[0], "mcp.ha.events.given_up");
        using var stream = await client.GetAsync(cluster[0]);
        await stream.NextAsync();
        var go = new TaskCompletionSource();
        cluster.Tool.Body = async run =>
        {
            await cluster.Tool.UntilAsync(go.Task);
            for (var n = 1; n <= 20; n++)
                _ = run.ProgressAsync(n);
            return "done";
        };
        var call = await client.PostAsync(cluster[0], client.Call("once", progress: true));
        await call.NextAsync();
        var session = cluster[0].Session(client.SessionId!)!;
        var committing = cluster[0].Store.StopBefore("CommitAsync");
        session.Check();
        await committing.Reached;
        for (var n = 0; n < 3; n++)
            _ = session.Unrelated.SendAsync(new ModelContextProtocol.Protocol.JsonRpcNotification { Method = "notifications/tools/list_changed" }, CancellationToken.None);
        go.SetResult();
        await Wait.UntilAsync(() => session.CallsInFlight.Count == 0, "the call to end");
        committing.LetGo();

        // 3 notifications of the other kind and the answer leave room for 4 of 20.
        Assert.Equal([17, 18, 19, 20, 0], (await call.MessagesAsync()).Select(m => (double?)m["params"]?["progress"] ?? 0));
        Assert.Equal(16, dropped.Value);
        for (var n = 0; n < 3; n++)
            Assert.Equal("notifications/tools/list_changed", (string?)(await stream.MessageAsync())["method"]);
        using var again = await client.GetAsync(cluster[0], call.Seen[0].Id);
        Assert.Equal(HttpStatusCode.OK, again.Status);
        Assert.Equal(5, (await again.MessagesAsync()).Count);
        call.Dispose();
    }

    [Fact]
    public async Task A_journal_that_is_full_keeps_the_answer_of_a_client_that_was_away_and_its_stream_can_be_resumed()
    {
        await using var cluster = await InProcessCluster.StartAsync(2, storeOptions: o => o.JournalEntries = 16);
        using var client = await cluster.ConnectAsync();
        var go = new TaskCompletionSource();
        cluster.Tool.Body = async run =>
        {
            if (run.Argument == "first")
            {
                await run.ProgressAsync(1);
                await cluster.Tool.UntilAsync(go.Task);
            }

            for (var n = 2; n < 40; n++)
                await run.LogAsync($"{n}");
            return run.Argument;
        };
        string cursor;
        using (var lost = await client.PostAsync(cluster[0], client.Call("again", "first", progress: true)))
        {
            await lost.MessageAsync();
            cursor = lost.LastId;
        }

        await Wait.UntilAsync(() => cluster[0].Session(client.SessionId!)!.ReaderCount == 0, "the response to be lost");
        go.SetResult();
        await Wait.UntilAsync(() => cluster[0].Session(client.SessionId!)!.CallsInFlight.Count == 0, "the call to end");
        for (var n = 0; n < 10; n++)
            Assert.Equal("x", await client.CallAsync(cluster[0], "again", "x"));
        await cluster.CutOffAsync(cluster[0]);
        for (var n = 0; n < 10; n++)
            Assert.Equal("y", await client.CallAsync(cluster[1], "again", "y"));

        using var resumed = await client.GetAsync(cluster[1], cursor);

        Assert.Equal(HttpStatusCode.OK, resumed.Status);
        Assert.Equal("first", RawClient.TextOf(await resumed.AnswerAsync()));
    }
}

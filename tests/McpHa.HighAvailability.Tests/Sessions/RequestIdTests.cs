using System.Net;
using System.Text.Json.Nodes;
using Mcp.HighAvailability.Sessions;
using Microsoft.Extensions.Time.Testing;

namespace McpHa.Tests;

/// <summary>The request ids of clients decide nothing: an id that comes again brings another call, and only an exchange id marks a repetition.</summary>
public sealed class RequestIdTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task The_same_id_and_arguments_one_after_the_other_run_again(bool exchangeIds)
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();
        cluster.Tool.Body = async run => (await run.State.UpdateAsync<int>("n", n => n + 1)).ToString();

        for (var n = 1; n <= 3; n++)
        {
            var call = client.Call("once", id: 1);
            using var exchange = exchangeIds ? await client.PostAsync(cluster[n % 2], call) : await client.PostPlainAsync(cluster[n % 2], call);
            var answer = await exchange.AnswerAsync();
            Assert.Equal(($"{n}", 1), (RawClient.TextOf(answer), (int)answer["id"]!));
        }
    }

    [Fact]
    public async Task An_error_does_not_stick_to_its_id()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();
        var never = new TaskCompletionSource();
        cluster.Tool.Body = async run =>
        {
            await run.ProgressAsync(1);
            await cluster.Tool.UntilAsync(never.Task);
            return "";
        };
        using var lost = await client.PostPlainAsync(cluster[0], client.Call("once", id: 1, progress: true));
        await lost.MessageAsync();
        await cluster.CutOffAsync(cluster[0]);
        using var refused = await client.GetAsync(cluster[1], lost.LastId);
        Assert.Equal(-32010, (int)(await refused.AnswerAsync())["error"]!["code"]!);

        cluster.Tool.Body = _ => Task.FromResult("done");
        using var again = await client.PostPlainAsync(cluster[1], client.Call("once", id: 1, progress: true));
        Assert.Equal("done", RawClient.TextOf(await again.AnswerAsync()));
    }

    [Fact]
    public async Task Two_requests_with_one_id_at_the_same_time_both_run_and_get_their_own_answers()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();
        var finish = new TaskCompletionSource();
        cluster.Tool.Body = async run =>
        {
            await cluster.Tool.UntilAsync(finish.Task);
            return run.Argument;
        };
        var one = client.PostPlainAsync(cluster[0], client.Call("once", "one", id: 1));
        var two = client.PostPlainAsync(cluster[1], client.Call("once", "two", id: 1));
        var same = client.PostPlainAsync(cluster[0], client.Call("once", "two", id: 1));
        var text = client.PostPlainAsync(cluster[0], client.Call("once", "text", id: "1"));
        await Wait.UntilAsync(() => cluster.Tool.Runs == 4, "all to run");

        finish.SetResult();

        foreach (var (exchange, expected) in new[] { (one, "one"), (two, "two"), (same, "two"), (text, "text") })
        {
            using var answered = await exchange;
            var answer = await answered.AnswerAsync();
            Assert.Equal((expected, expected == "text" ? "\"1\"" : "1"), (RawClient.TextOf(answer), answer["id"]!.ToJsonString()));
        }
    }

    [Fact]
    public async Task An_exchange_id_counts_in_its_own_session_alone()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var one = await cluster.ConnectAsync();
        using var two = await cluster.ConnectAsync();
        var call = one.Call("once", "x");
        foreach (var client in new[] { one, two })
        {
            using var answered = await client.PostAsync(cluster[0], call);
            Assert.Equal("x", RawClient.TextOf(await answered.AnswerAsync()));
        }

        Assert.Equal(2, cluster.Tool.Runs);
    }

    [Theory]
    [InlineData("short")]
    [InlineData("0123456789abcdef,0123456789abcdef")]
    [InlineData("0123456789abcdef 0123456789abcdef")]
    public async Task An_exchange_id_that_is_not_well_formed_is_ignored(string exchange)
    {
        await using var cluster = await InProcessCluster.StartAsync(1);
        using var client = await cluster.ConnectAsync();
        var call = client.Call("once", "x").ToJsonString();
        for (var n = 0; n < 2; n++)
        {
            using var answered = await client.PostTextAsync(cluster[0], call, headers => headers.TryAddWithoutValidation("Mcp-Ha-Exchange", exchange));
            Assert.Equal("x", RawClient.TextOf(await answered.AnswerAsync()));
        }

        Assert.Equal(2, cluster.Tool.Runs);
    }

    [Fact]
    public async Task A_cancellation_of_an_answered_request_ends_none_that_comes_later()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();
        Assert.Equal("x", await CallAsync(cluster[0]));
        using (var late = await client.PostPlainAsync(cluster[1], RawClient.Cancel(client.Request("", id: 1))))
            Assert.Equal(HttpStatusCode.Accepted, late.Status);

        Assert.Equal("x", await CallAsync(cluster[0]));
        Assert.Equal("x", await CallAsync(cluster[1]));
        await cluster.CutOffAsync(cluster[0]);
        Assert.Equal("x", await CallAsync(cluster[1]));

        async Task<string> CallAsync(InProcessReplica replica)
        {
            using var exchange = await client.PostPlainAsync(replica, client.Call("once", "x", id: 1));
            return RawClient.TextOf(await exchange.AnswerAsync());
        }
    }

    [Fact]
    public async Task A_call_that_was_cancelled_and_is_sent_again_runs()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();
        var never = new TaskCompletionSource();
        cluster.Tool.Body = async run =>
        {
            await run.ProgressAsync(1);
            await cluster.Tool.UntilAsync(never.Task);
            return "";
        };
        using var running = await client.PostPlainAsync(cluster[0], client.Call("again", id: 1, progress: true));
        await running.MessageAsync();
        using var accepted = await client.PostPlainAsync(cluster[0], RawClient.Cancel(client.Request("", id: 1)));
        Assert.Empty(await running.MessagesAsync());

        cluster.Tool.Body = _ => Task.FromResult("done");
        using var again = await client.PostPlainAsync(cluster[0], client.Call("again", id: 1, progress: true));
        Assert.Equal("done", RawClient.TextOf(await again.AnswerAsync()));
    }

    [Fact]
    public async Task A_cancellation_ends_the_newest_call_with_its_id_and_its_repetition_ends_no_other()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();
        var finish = new TaskCompletionSource();
        cluster.Tool.Body = async run =>
        {
            await run.ProgressAsync(1);
            await cluster.Tool.UntilAsync(finish.Task);
            return run.Argument;
        };
        using var older = await StartAsync("older");
        using var newer = await StartAsync("newer");
        var cancellation = RawClient.Cancel(client.Request("", id: 1));
        using (var accepted = await client.PostAsync(cluster[0], cancellation))
            Assert.Equal(HttpStatusCode.Accepted, accepted.Status);
        Assert.Empty(await newer.MessagesAsync());

        // The relay repeats it, once here and once at the next owner.
        using (var repeated = await client.PostAsync(cluster[0], cancellation))
            Assert.Equal(HttpStatusCode.Accepted, repeated.Status);
        await cluster.CutOffAsync(cluster[0]);
        using (var repeated = await client.PostAsync(cluster[1], cancellation))
            Assert.Equal(HttpStatusCode.Accepted, repeated.Status);
        using var resumed = await client.GetAsync(cluster[1], older.LastId);
        finish.SetResult();
        Assert.Equal("older", RawClient.TextOf(await resumed.AnswerAsync()));

        async Task<Exchange> StartAsync(string text)
        {
            var exchange = await client.PostPlainAsync(cluster[0], client.Call("again", text, id: 1, progress: true));
            await exchange.MessageAsync();
            return exchange;
        }
    }

    [Fact]
    public async Task Equal_calls_change_a_handle_each_and_a_repetition_changes_it_once()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var session = await cluster.ConnectAsync();
        using var stateless = StatelessClient.New();
        cluster.Tool.Body = async run =>
        {
            var handle = await run.State.OpenAsync(run.Argument.Length > 0 ? run.Argument : null);
            return $"{handle.Handle} {await handle.UpdateAsync<int>("n", n => n + 1)}";
        };
        var handle = (await session.CallAsync(cluster[0], "again")).Split(' ')[0];
        foreach (var expected in new[] { 2, 3 })
        {
            using var exchange = await session.PostPlainAsync(cluster[0], session.Call("again", handle, id: 1));
            Assert.Equal($"{handle} {expected}", RawClient.TextOf(await exchange.AnswerAsync()));
        }

        // Without a session: a relay sends a call that may be run again to another replica, where it runs and finds what it has done.
        for (var n = 0; n < 2; n++)
        {
            Assert.Equal($"{handle} 4", await AskAsync(cluster[n], "repetition-of-one-call"));
        }

        Assert.Equal($"{handle} 5", await AskAsync(cluster[0], "exchange-of-another-call"));

        async Task<string> AskAsync(InProcessReplica replica, string exchange)
        {
            var parameters = new JsonObject { ["name"] = "again", ["arguments"] = new JsonObject { ["text"] = handle } };
            using var answered = await stateless.AskAsync(replica, "tools/call", parameters, headers => headers["Mcp-Ha-Exchange"] = exchange);
            return RawClient.TextOf(await answered.AnswerAsync());
        }
    }

    [Fact]
    public void An_answered_exchange_is_forgotten_in_time_and_beyond_the_limit()
    {
        var time = new FakeTimeProvider();
        var calls = new CallTable(maxRemembered: 2, TimeSpan.FromSeconds(60), time);
        calls.Remember(new(1), "c1x1");
        time.Advance(TimeSpan.FromSeconds(40));
        calls.Remember(new(2), "c1x2");
        Assert.Equal("c1x1", calls.Recall(new(1)));
        time.Advance(TimeSpan.FromSeconds(30));
        Assert.Null(calls.Recall(new(1)));
        calls.Remember(new(3), "c1x3");
        Assert.Equal("c1x2", calls.Recall(new(2)));
        calls.Remember(new(4), "c1x4");
        Assert.Null(calls.Recall(new(2)));
    }
}

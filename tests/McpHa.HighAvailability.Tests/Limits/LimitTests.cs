using System.Net;
using System.Text.Json.Nodes;
using Mcp.HighAvailability.Http;
using Mcp.HighAvailability.Limits;
using Microsoft.Extensions.DependencyInjection;

namespace McpHa.Tests;

/// <summary>A client at a limit is told so, with the time to come again. Other clients notice nothing.</summary>
public sealed class LimitTests
{
    [Fact]
    public async Task A_session_with_too_many_calls_in_flight_is_told_so_and_others_are_not()
    {
        await using var cluster = await StartAsync(l => l.CallsPerSession = 2);
        using var greedy = await cluster.ConnectAsync();
        using var other = await cluster.ConnectAsync();
        var finish = new TaskCompletionSource();
        cluster.Tool.Body = async run =>
        {
            if (run.Argument == "wait")
                await cluster.Tool.UntilAsync(finish.Task);
            return run.Argument;
        };
        var first = greedy.Call("once", "wait");
        var waiting = new[] { greedy.PostAsync(cluster[0], first), greedy.PostAsync(cluster[1], greedy.Call("once", "wait")) };
        await Wait.UntilAsync(() => cluster.Tool.Runs == 2, "both calls to run");

        foreach (var replica in new[] { cluster[0], cluster[1] })
            await RefusedAsync(greedy.PostAsync(replica, greedy.Call("once", "x")), 429, "CallsPerSession");
        Assert.Equal("y", await other.CallAsync(cluster[0], "once", "y"));

        // The same request again is no further call.
        var repeated = greedy.PostAsync(cluster[0], first);
        finish.SetResult();
        foreach (var call in waiting.Append(repeated))
        {
            using var answered = await call;
            Assert.Equal("wait", RawClient.TextOf(await answered.AnswerAsync()));
        }

        Assert.Equal("z", await greedy.CallAsync(cluster[0], "once", "z"));
    }

    [Fact]
    public async Task A_user_with_too_many_sessions_is_told_so_until_one_ends_and_others_are_not()
    {
        await using var cluster = await StartAsync(l => l.SessionsPerUser = 2, replicas: 1);
        using var first = await cluster.ConnectAsync(user: "ada");
        using var second = await cluster.ConnectAsync(user: "ada");
        using var third = new RawClient { User = "ada" };
        await RefusedAsync(third.PostAsync(cluster[0], third.Initialize()), 429, "SessionsPerUser");
        using var eve = await cluster.ConnectAsync(user: "eve");
        using (await first.DeleteAsync(cluster[0]))
        {
        }

        using var again = await cluster.ConnectAsync(user: "ada");
    }

    [Fact]
    public async Task A_replica_that_is_full_says_so_and_serves_the_sessions_it_has()
    {
        await using var cluster = await StartAsync(l => l.Sessions = 1, replicas: 1);
        using var client = await cluster.ConnectAsync();
        using var late = new RawClient();
        await RefusedAsync(late.PostAsync(cluster[0], late.Initialize()), 503, "HighAvailability:Limits:Sessions");
        Assert.Equal("x", await client.CallAsync(cluster[0], "once", "x"));
    }

    [Fact]
    public async Task A_session_with_too_many_streams_is_told_so_until_one_is_closed()
    {
        await using var cluster = await StartAsync(l => l.StreamsPerSession = 1, replicas: 1);
        using var client = await cluster.ConnectAsync();
        var open = await client.GetAsync(cluster[0]);
        var id = (await open.NextAsync())!.Id;
        await RefusedAsync(client.GetAsync(cluster[0]), 429, "StreamsPerSession");
        await RefusedAsync(client.GetAsync(cluster[0], id), 429, "StreamsPerSession");
        Assert.Equal("x", await client.CallAsync(cluster[0], "once", "x"));

        open.Dispose();
        await Wait.UntilAsync(() => cluster[0].Session(client.SessionId!)!.ReaderCount == 0, "the connection to be gone");
        using var next = await client.GetAsync(cluster[0]);
        Assert.Equal(HttpStatusCode.OK, next.Status);
    }

    [Fact]
    public async Task A_session_with_too_many_subscriptions_is_told_so()
    {
        await using var cluster = await StartAsync(l => l.SubscriptionsPerSession = 1, replicas: 1);
        using var client = await cluster.ConnectAsync();
        foreach (var uri in new[] { "test://one", "test://one" })
        {
            using var subscribed = await client.PostAsync(cluster[0], client.Request("resources/subscribe", new() { ["uri"] = uri }));
            Assert.NotNull((await subscribed.AnswerAsync())["result"]);
        }

        await RefusedAsync(client.PostAsync(cluster[0], client.Request("resources/subscribe", new() { ["uri"] = "test://two" })), 429, "SubscriptionsPerSession");
    }

    [Fact]
    public async Task A_client_that_asks_too_often_is_told_so_and_others_are_not()
    {
        await using var cluster = await StartAsync(l => (l.RequestsPerSecond, l.Burst) = (1, 4), replicas: 1);
        using var ada = await cluster.ConnectAsync(user: "ada");
        using var eve = await cluster.ConnectAsync(user: "eve");
        await Wait.UntilAsync(
            async () =>
            {
                using var call = await ada.PostAsync(cluster[0], ada.Request("ping"));
                return call.Status == HttpStatusCode.TooManyRequests && call.Header("Retry-After") is "1";
            },
            "the limit");
        Assert.Equal("x", await eve.CallAsync(cluster[0], "once", "x"));
    }

    [Theory]
    [InlineData("StatelessCallsPerUser", 429)]
    [InlineData("StatelessCalls", 503)]
    public async Task Too_many_requests_without_a_session_at_the_same_time_are_refused(string setting, int status)
    {
        await using var cluster = await StartAsync(l => (l.StatelessCallsPerUser, l.StatelessCalls) = status == 429 ? (1, 10) : (10, 1), replicas: 1);
        var finish = new TaskCompletionSource();
        cluster.Tool.Body = async run =>
        {
            if (run.Argument == "wait")
                await cluster.Tool.UntilAsync(finish.Task);
            return run.Argument;
        };
        using var ada = StatelessClient.New("ada");
        using var eve = StatelessClient.New("eve");
        var waiting = AskAsync(ada, "wait");
        await Wait.UntilAsync(() => cluster.Tool.Runs == 1, "the call to run");

        await RefusedAsync(AskAsync(ada, "x"), status, setting);
        if (status == 429)
            await AnsweredAsync(AskAsync(eve, "y"), "y");
        finish.SetResult();
        await AnsweredAsync(waiting, "wait");
        await Wait.UntilAsync(() => cluster[0].Get<StatelessCalls>().Users == 0, "the calls to be over");
        await AnsweredAsync(AskAsync(ada, "z"), "z");

        Task<Exchange> AskAsync(RawClient client, string text) => client.AskAsync(
            cluster[0], "tools/call", new() { ["name"] = "once", ["arguments"] = new JsonObject { ["text"] = text } });

        static async Task AnsweredAsync(Task<Exchange> call, string text)
        {
            using var answered = await call;
            Assert.Equal(text, RawClient.TextOf(await answered.AnswerAsync()));
        }
    }

    [Fact]
    public async Task More_bytes_of_bodies_than_allowed_are_refused_until_earlier_requests_end()
    {
        await using var cluster = await StartAsync(l => l.BodyBytes = 4 * 1024 * 1024, replicas: 1);
        var finish = new TaskCompletionSource();
        cluster.Tool.Body = async run =>
        {
            if (run.Argument.StartsWith("wait", StringComparison.Ordinal))
                await cluster.Tool.UntilAsync(finish.Task);
            return run.Argument.TrimEnd();
        };
        using var client = await cluster.ConnectAsync();
        var waiting = client.CallAsync(cluster[0], "once", "wait".PadRight(3_000_000));
        await Wait.UntilAsync(() => cluster.Tool.Runs == 1, "the call to run");

        await RefusedAsync(client.PostAsync(cluster[0], client.Call("once", "x".PadRight(3_000_000))), 503, "HighAvailability:Limits:BodyBytes");
        Assert.Equal("y", await client.CallAsync(cluster[0], "once", "y"));
        finish.SetResult();
        Assert.Equal("wait", await waiting);
        await Wait.UntilAsync(() => cluster[0].Get<RequestBodies>().Budget.Held == 0, "the bodies to be let go");
        Assert.Equal("z", await client.CallAsync(cluster[0], "once", "z".PadRight(3_000_000)));
    }

    [Fact]
    public async Task More_requests_than_may_wait_for_the_store_are_refused_at_once()
    {
        await using var cluster = await StartAsync(l => l.HeldRequests = 0, replicas: 1);
        cluster[0].Store.Away = true;
        using var client = new RawClient();
        await RefusedAsync(client.PostAsync(cluster[0], client.Initialize()), 503, "HighAvailability:Limits:HeldRequests");
    }

    [Fact]
    public async Task Headers_that_are_too_large_are_refused()
    {
        await using var cluster = await StartAsync(l => l.HeaderBytes = 8192, replicas: 1);
        using var client = await cluster.ConnectAsync();
        using var refused = await client.PostAsync(cluster[0], client.Request("ping"), h => h.TryAddWithoutValidation("X-Large", new string('x', 9000)));
        Assert.Equal(HttpStatusCode.RequestHeaderFieldsTooLarge, refused.Status);
    }

    [Fact]
    public void A_wrong_limit_is_named_with_what_to_do_about_it()
    {
        var failures = new LimitOptionsValidator().Validate(null, new() { Sessions = 0, CallsPerSession = -1, Burst = 0 }).Failures!;
        Assert.Equal(3, failures.Count());
        Assert.Contains("HighAvailability:Limits:Sessions is 0; set it to 1 or more", failures.First(), StringComparison.Ordinal);
        Assert.True(new LimitOptionsValidator().Validate(null, new()).Succeeded);
    }

    private static Task<InProcessCluster> StartAsync(Action<LimitOptions> limits, int replicas = 2) =>
        InProcessCluster.StartAsync(replicas, server: s => s.Services.Configure(limits));

    private static async Task RefusedAsync(Task<Exchange> request, int status, string text)
    {
        using var refused = await request;
        Assert.Equal(status, (int)refused.Status);
        Assert.NotNull(refused.Header("Retry-After"));
        Assert.Contains(text, (string)(await refused.JsonAsync())["error"]!["message"]!, StringComparison.Ordinal);
    }
}

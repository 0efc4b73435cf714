using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using Mcp.HighAvailability.Limits;
using Mcp.HighAvailability.Sessions;
using Microsoft.Extensions.DependencyInjection;
using ModelContextProtocol.Protocol;

namespace McpHa.Tests;

/// <summary>What is recorded of a session's beginning is parsed and bounded.</summary>
public sealed class HandshakeTests
{
    private static readonly string Padding = new('x', 100_000);

    [Fact]
    public async Task What_is_recorded_is_what_a_new_owner_needs_and_nothing_that_the_client_adds()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = new RawClient();
        var initialize = client.Initialize();
        initialize["params"]!["_meta"] = new JsonObject { ["padding"] = Padding };
        initialize["params"]!["unknown"] = Padding;
        using (var opened = await client.PostAsync(cluster[0], initialize))
            client.SessionId = opened.Header("Mcp-Session-Id");
        foreach (var message in (JsonObject[])[
            RawClient.Notification("notifications/initialized", Padded()),
            client.Request("logging/setLevel", Padded(("level", "warning"))),
            client.Request("resources/subscribe", Padded(("uri", "test://one"))),
            client.Request("resources/subscribe", Padded(("uri", "test://two"))),
            client.Request("resources/unsubscribe", Padded(("uri", "test://two")))])
        {
            using var sent = await client.PostAsync(cluster[0], message);
            Assert.True(sent.Status is HttpStatusCode.OK or HttpStatusCode.Accepted);
            if (sent.Status == HttpStatusCode.OK)
                Assert.NotNull((await sent.AnswerAsync())["result"]);
        }

        var recorded = cluster.Snapshot(client.SessionId!)!.Record.Handshake;
        Assert.Equal(["broadcast", "initialize", "initialized", "level", "sub:test://one"], recorded.Keys.Order(StringComparer.Ordinal));
        Assert.InRange(recorded.Sum(entry => Encoding.UTF8.GetByteCount(entry.Key) + entry.Value.Length), 1, 500);
        await cluster.CutOffAsync(cluster[0]);
        Assert.Equal("x", await client.CallAsync(cluster[1], "again", "x"));
        var session = cluster[1].Session(client.SessionId!)!;
        Assert.Equal(LoggingLevel.Warning, session.LogLevel());
        Assert.True(session.IsSubscribed("test://one"));
        Assert.False(session.IsSubscribed("test://two"));

        static JsonObject Padded(params (string Name, string Value)[] members)
        {
            var padded = new JsonObject { ["_meta"] = new JsonObject { ["padding"] = Padding } };
            foreach (var (name, value) in members)
                padded[name] = value;
            return padded;
        }
    }

    [Fact]
    public async Task A_server_hears_of_its_client_what_the_first_owner_heard()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();
        cluster.Tool.Body = run => Task.FromResult($"{run.Server.ClientInfo?.Name} {run.Server.ClientInfo?.Version} {run.Server.ClientCapabilities?.Sampling is not null} {run.Server.NegotiatedProtocolVersion}");
        var before = await client.CallAsync(cluster[0], "again");
        await cluster.CutOffAsync(cluster[0]);

        Assert.Equal("raw 1 True 2025-11-25", before);
        Assert.Equal(before, await client.CallAsync(cluster[1], "again"));
    }

    [Fact]
    public async Task Subscriptions_are_bounded_in_bytes_and_the_refusal_names_the_setting()
    {
        await using var cluster = await InProcessCluster.StartAsync(1, server: mcp => mcp.Services.Configure<LimitOptions>(l => l.HandshakeBytesPerSession = 4_000));
        using var client = await cluster.ConnectAsync();
        using (var subscribed = await client.PostAsync(cluster[0], client.Request("resources/subscribe", new() { ["uri"] = Uri('a') })))
            Assert.NotNull((await subscribed.AnswerAsync())["result"]);

        using var refused = await client.PostAsync(cluster[0], client.Request("resources/subscribe", new() { ["uri"] = Uri('b') }));

        Assert.Equal(HttpStatusCode.TooManyRequests, refused.Status);
        Assert.Contains("HighAvailability:Limits:HandshakeBytesPerSession", (string)(await refused.JsonAsync())["error"]!["message"]!, StringComparison.Ordinal);
        Assert.False(cluster[0].Session(client.SessionId!)!.IsSubscribed(Uri('b')));
        using (var again = await client.PostAsync(cluster[0], client.Request("resources/subscribe", new() { ["uri"] = Uri('a') })))
            Assert.NotNull((await again.AnswerAsync())["result"]);
        using (var less = await client.PostAsync(cluster[0], client.Request("resources/unsubscribe", new() { ["uri"] = Uri('a') })))
            Assert.NotNull((await less.AnswerAsync())["result"]);
        using (var now = await client.PostAsync(cluster[0], client.Request("resources/subscribe", new() { ["uri"] = Uri('b') })))
            Assert.NotNull((await now.AnswerAsync())["result"]);

        static string Uri(char c) => "test://" + new string(c, 2_500);
    }

    [Fact]
    public async Task A_client_whose_description_is_too_large_gets_no_session()
    {
        await using var cluster = await InProcessCluster.StartAsync(1);
        using var client = new RawClient();
        var initialize = client.Initialize();
        initialize["params"]!["clientInfo"]!["name"] = new string('x', 300_000);

        using var refused = await client.PostAsync(cluster[0], initialize);

        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, refused.Status);
        Assert.Contains("HighAvailability:Limits:HandshakeBytesPerSession", (string)(await refused.JsonAsync())["error"]!["message"]!, StringComparison.Ordinal);
        Assert.Equal(0, cluster[0].Get<SessionHost>().SessionCount);
    }

    [Fact]
    public async Task The_requests_in_flight_are_bounded_in_bytes()
    {
        await using var cluster = await InProcessCluster.StartAsync(1, server: mcp => mcp.Services.Configure<LimitOptions>(l => l.CallBytesPerSession = 10_000));
        using var client = await cluster.ConnectAsync();
        var (begun, finish) = (new TaskCompletionSource(), new TaskCompletionSource());
        cluster.Tool.Body = async run =>
        {
            begun.TrySetResult();
            await cluster.Tool.UntilAsync(finish.Task);
            return "done";
        };
        var first = client.PostAsync(cluster[0], client.Call("once", new string('x', 20_000)));
        await begun.Task.WaitAsync(Wait.Limit);

        using var refused = await client.PostAsync(cluster[0], client.Call("once", "x"));

        Assert.Equal(HttpStatusCode.TooManyRequests, refused.Status);
        Assert.Contains("HighAvailability:Limits:CallBytesPerSession", (string)(await refused.JsonAsync())["error"]!["message"]!, StringComparison.Ordinal);
        finish.SetResult();
        using var answered = await first;
        await answered.AnswerAsync();
        Assert.Equal("done", await client.CallAsync(cluster[0], "once", "x"));
    }
}

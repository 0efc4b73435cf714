using System.Net;
using System.Text.Json.Nodes;
using Mcp.HighAvailability;

namespace McpHa.Tests;

/// <summary>Clients of the session era that open a session and never send its id back.</summary>
public sealed class SessionlessTests
{
    [Theory]
    [InlineData("2024-11-05")]
    [InlineData("2025-06-18")]
    [InlineData("2025-11-25")]
    public async Task Requests_without_a_session_id_are_served_by_any_replica(string version)
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = new RawClient { Version = version };
        using var opened = await client.PostAsync(cluster[0], client.Initialize());
        Assert.NotNull(opened.Header("Mcp-Session-Id"));

        foreach (var replica in new[] { cluster[0], cluster[1] })
        {
            using var begun = await client.PostAsync(replica, RawClient.Notification("notifications/initialized"));
            Assert.Equal(HttpStatusCode.Accepted, begun.Status);
            using var listed = await client.PostAsync(replica, client.Request("tools/list"), h => h.TryAddWithoutValidation("MCP-Protocol-Version", version));
            Assert.Contains("once", (await listed.AnswerAsync())["result"]!["tools"]!.AsArray().Select(tool => (string?)tool!["name"]));
            Assert.Null(listed.Header("Mcp-Session-Id"));
            using var read = await client.PostAsync(replica, client.Request("resources/read", new() { ["uri"] = "test://one" }));
            Assert.NotNull((await read.AnswerAsync())["result"]);

            // Such clients repeat their ids: each request runs.
            for (var i = 0; i < 2; i++)
            {
                using var called = await client.PostAsync(replica, client.Call("once", replica.Id, id: 1));
                Assert.Equal(replica.Id, RawClient.TextOf(await called.AnswerAsync()));
            }
        }

        Assert.Equal(4, cluster.Tool.Runs);
    }

    [Fact]
    public async Task A_tool_that_keeps_state_hands_out_a_handle()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = new RawClient { User = "ada" };
        cluster.Tool.Body = async run =>
        {
            var handle = await run.State.OpenAsync(run.Argument.Length > 0 ? run.Argument : null);
            return $"{handle.Handle} {await handle.UpdateAsync<int>("n", n => n + 1)}";
        };
        var handle = (await client.CallAsync(cluster[0], "once")).Split(' ')[0];

        Assert.Equal($"{handle} 2", await client.CallAsync(cluster[1], "once", handle));
        Assert.Equal($"{handle} 3", await client.CallAsync(cluster[0], "once", handle));
    }

    [Theory]
    [InlineData(SessionMode.Hybrid, true)]
    [InlineData(SessionMode.Hybrid, false)]
    [InlineData(SessionMode.Stateful, true)]
    public async Task What_needs_a_session_says_so(SessionMode mode, bool sessionless)
    {
        await using var cluster = await InProcessCluster.StartAsync(1, o => (o.SessionMode, o.SessionlessRequests) = (mode, sessionless));
        using var client = new RawClient();
        List<JsonObject> refused =
        [
            client.Request("resources/subscribe", new() { ["uri"] = "test://one" }), client.Request("resources/unsubscribe", new() { ["uri"] = "test://one" }),
            client.Request("logging/setLevel", new() { ["level"] = "info" }), RawClient.Answer(new JsonObject { ["id"] = "q" }, "x"),
        ];
        if (!sessionless || mode == SessionMode.Stateful)
            refused.AddRange([client.Call("once"), client.Request("tools/list"), RawClient.Notification("notifications/initialized")]);
        foreach (var message in refused)
        {
            using var exchange = await client.PostAsync(cluster[0], message);
            Assert.Equal(400, (int)exchange.Status);
            Assert.Contains("initialize", (string?)(await exchange.JsonAsync())["error"]!["message"], StringComparison.Ordinal);
        }

        foreach (var exchange in new[] { await client.GetAsync(cluster[0]), await client.DeleteAsync(cluster[0]) })
        {
            Assert.Equal(400, (int)exchange.Status);
            Assert.Contains("Mcp-Session-Id", await exchange.BodyAsync(), StringComparison.Ordinal);
            exchange.Dispose();
        }

        Assert.Equal(0, cluster.Tool.Runs);
    }
}

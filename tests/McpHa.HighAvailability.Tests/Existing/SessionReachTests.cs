using System.Net;
using System.Text.Json.Nodes;
using Mcp.HighAvailability;
using Mcp.HighAvailability.Cluster;
using ModelContextProtocol;

namespace McpHa.Tests;

/// <summary>The application reaches a session by its id from any replica.</summary>
public sealed class SessionReachTests
{
    private const string Method = "notifications/acme/price";
    private static readonly JsonObject Price = new() { ["price"] = 7 };

    [Fact]
    public async Task A_notification_reaches_one_session_from_every_replica()
    {
        await using var cluster = await InProcessCluster.StartAsync(3);
        using var client = await cluster.ConnectAsync();
        using var other = await cluster.ConnectAsync();
        using var stream = await client.GetAsync(cluster[0]);
        for (var replica = 0; replica < 3; replica++)
        {
            Assert.True(await cluster[replica].Get<IMcpSessions>().NotifyAsync(client.SessionId!, Method, Price));
            var message = await stream.MessageAsync();
            Assert.Equal((Method, 7), ((string?)message["method"], (int?)message["params"]!["price"]));
        }

        Assert.Empty(cluster.Journal(other.SessionId!));
    }

    [Fact]
    public async Task A_notification_to_a_session_whose_owner_is_lost_takes_it_over_and_waits_for_its_client()
    {
        await using var cluster = await InProcessCluster.StartAsync(3);
        using var client = await cluster.ConnectAsync();
        await cluster.CutOffAsync(cluster[0]);

        Assert.True(await cluster[1].Get<IMcpSessions>().NotifyAsync(client.SessionId!, Method, Price));

        using var stream = await client.GetAsync(cluster[2]);
        Assert.Equal(Method, (string?)(await stream.MessageAsync())["method"]);
        Assert.Equal(2, cluster[1].Session(client.SessionId!)!.Epoch);
    }

    [Fact]
    public async Task An_unknown_or_ended_session_is_told_apart()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();
        using (await client.DeleteAsync(cluster[0]))
        {
            foreach (var id in new[] { client.SessionId!, "nonsense" })
            {
                Assert.False(await cluster[1].Get<IMcpSessions>().NotifyAsync(id, Method));
                await Assert.ThrowsAsync<McpException>(async () => await cluster[1].Get<IMcpSessions>().RequestAsync(id, "acme/ask"));
            }
        }
    }

    [Fact]
    public async Task A_request_of_a_custom_method_is_answered_by_the_client_from_every_replica_also_before_the_session_has_a_server()
    {
        await using var cluster = await InProcessCluster.StartAsync(3);
        using var client = await cluster.ConnectAsync();
        await cluster.CutOffAsync(cluster[0]);
        using var stream = await client.GetAsync(cluster[1]);
        await stream.NextAsync();
        Assert.False(cluster[1].Session(client.SessionId!)!.Activation.IsComplete);
        foreach (var replica in new[] { cluster[2], cluster[1] })
        {
            var asking = replica.Get<IMcpSessions>().RequestAsync(client.SessionId!, "acme/ask", new JsonObject { ["q"] = 1 }).AsTask();
            var question = await stream.MessageAsync();
            Assert.Equal(("acme/ask", 1), ((string?)question["method"], (int?)question["params"]!["q"]));
            using var answered = await client.PostAsync(cluster[1], new JsonObject { ["jsonrpc"] = "2.0", ["id"] = question["id"]!.DeepClone(), ["result"] = new JsonObject { ["a"] = 2 } });
            Assert.Equal(2, (int?)(await asking.WaitAsync(Wait.Limit))!["a"]);
        }
    }

    [Fact]
    public async Task A_client_that_refuses_or_does_not_listen_is_an_error()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();
        var sessions = cluster[1].Get<IMcpSessions>();
        var deaf = await Assert.ThrowsAsync<McpException>(async () => await sessions.RequestAsync(client.SessionId!, "acme/ask"));
        Assert.Contains("no open GET stream", deaf.Message, StringComparison.Ordinal);
        using var stream = await client.GetAsync(cluster[0]);
        var asking = sessions.RequestAsync(client.SessionId!, "acme/ask").AsTask();
        var question = await stream.MessageAsync();
        using var answered = await client.PostAsync(cluster[0], new JsonObject
        {
            ["jsonrpc"] = "2.0", ["id"] = question["id"]!.DeepClone(), ["error"] = new JsonObject { ["code"] = -32601, ["message"] = "no such method" },
        });
        var refused = await Assert.ThrowsAsync<McpProtocolException>(() => asking.WaitAsync(Wait.Limit));
        Assert.Equal(McpErrorCode.MethodNotFound, refused.ErrorCode);
    }

    [Fact]
    public async Task Every_replica_knows_which_sessions_subscribe_to_a_resource()
    {
        await using var cluster = await InProcessCluster.StartAsync(3);
        List<string> subscribed = [];
        for (var replica = 0; replica < 3; replica++)
        {
            using var client = await cluster.ConnectAsync(replica);
            using var other = await cluster.ConnectAsync(replica);
            using var answer = await client.PostAsync(cluster[replica], client.Request("resources/subscribe", new() { ["uri"] = "test://one" }));
            Assert.NotNull((await answer.AnswerAsync())["result"]);
            subscribed.Add(client.SessionId!);
        }

        for (var replica = 0; replica < 3; replica++)
            Assert.Equal(subscribed.Order(), (await cluster[replica].Get<IMcpSessions>().FindSubscribersAsync("test://one")).Order());
        Assert.Empty(await cluster[0].Get<IMcpSessions>().FindSubscribersAsync("test://two"));
    }

    [Theory]
    [InlineData(null)]
    [InlineData("0123456789abcdef0123456789abcdef")]
    public async Task Without_the_key_of_the_replica_the_way_between_replicas_is_closed(string? key)
    {
        await using var cluster = await InProcessCluster.StartAsync(1);
        using var client = await cluster.ConnectAsync();
        Assert.Equal(HttpStatusCode.NotFound, await PostAsync(key));
        Assert.Equal(HttpStatusCode.OK, await PostAsync(cluster[0].Get<SelfReplica>().HopKey));
        Assert.Single(cluster.Journal(client.SessionId!));

        async Task<HttpStatusCode> PostAsync(string? key)
        {
            using var http = new HttpClient();
            using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(cluster[0].Endpoint, "/.well-known/mcp-ha-sessions"))
            {
                Content = new StringContent(new JsonObject { ["kind"] = "Notify", ["session"] = client.SessionId, ["method"] = Method }.ToJsonString(), null, "application/json"),
            };

            // What a relay puts on the requests of clients does not open it.
            request.Headers.Add("Mcp-Ha-Key", cluster[0].Get<SelfReplica>().HopKey);
            if (key is not null)
                request.Headers.Add("Mcp-Ha-Peer", key);
            using var response = await http.SendAsync(request);
            return response.StatusCode;
        }
    }
}

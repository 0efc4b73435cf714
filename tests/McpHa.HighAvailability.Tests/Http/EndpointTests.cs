using System.Net;
using System.Net.Http.Headers;
using System.Text.Json.Nodes;
using Mcp.HighAvailability;

namespace McpHa.Tests;

/// <summary>What the endpoint answers to what it cannot serve, and who may use a session.</summary>
public sealed class EndpointTests
{
    [Fact]
    public async Task Wrong_requests_get_the_status_and_the_error_that_name_the_cure()
    {
        await using var cluster = await InProcessCluster.StartAsync(1, o => o.MaxRequestBodySize = 4096);
        using var client = await cluster.ConnectAsync();
        var replica = cluster[0];

        await RefusedAsync(client.PostAsync(replica, client.Call("once"), h => Accept(h, "application/json")), 406, -32000, "text/event-stream");
        await RefusedAsync(client.PostAsync(replica, client.Call("once"), h => Accept(h, "text/event-stream")), 406, -32000, "application/json");
        await RefusedAsync(client.GetAsync(replica, headers: h => Accept(h, "application/json")), 406, -32000, "text/event-stream");
        await RefusedAsync(client.PostTextAsync(replica, client.Call("once").ToJsonString(), contentType: "text/plain"), 415, -32000, "application/json");
        await RefusedAsync(client.PostTextAsync(replica, "{nonsense"), 400, -32700, "not valid JSON");
        await RefusedAsync(client.PostTextAsync(replica, ""), 400, -32700, "not valid JSON");
        await RefusedAsync(client.PostTextAsync(replica, "null"), 400, -32600, "JSON-RPC");
        await RefusedAsync(client.PostTextAsync(replica, "{}"), 400, -32600, "JSON-RPC");
        await RefusedAsync(client.PostTextAsync(replica, """{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"\ud800"}}"""), 400, -32600, "surrogate");
        await RefusedAsync(client.PostTextAsync(replica, """{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"once","\uDC00":1}}"""), 400, -32600, "surrogate");
        await RefusedAsync(client.PostAsync(replica, client.Call("once", new string('x', 5000))), 413, -32000, "4096");
        await RefusedAsync(client.PostAsync(replica, client.Call("once"), h => Version(h, "2031-01-01")), 400, -32022, "2031-01-01");
        await RefusedAsync(client.GetAsync(replica, headers: h => Version(h, "2031-01-01")), 400, -32022, "2031-01-01");
        await RefusedAsync(client.GetAsync(replica, headers: h => Version(h, "2026-07-28")), 405, -32000, "POST");

        var id = client.SessionId;
        client.SessionId = null;
        await RefusedAsync(client.GetAsync(replica), 400, -32000, "Mcp-Session-Id");
        await RefusedAsync(client.DeleteAsync(replica), 400, -32000, "Mcp-Session-Id");
        foreach (var unknown in new[] { "x", "nonsense with blanks", new string('a', 500), id![..^1] + (id[^1] == 'a' ? 'b' : 'a') })
        {
            client.SessionId = unknown;
            await RefusedAsync(client.PostAsync(replica, client.Call("once")), 404, -32001, "initialize");
            await RefusedAsync(client.GetAsync(replica), 404, -32001, "initialize");
            await RefusedAsync(client.DeleteAsync(replica), 404, -32001, "initialize");
        }

        client.SessionId = id;
        Assert.Equal("x", await client.CallAsync(replica, "once", "x"));
        Assert.Equal(1, cluster.Tool.Runs);
    }

    [Theory]
    [InlineData("""{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"once","name":"again"}}""", "name")]
    [InlineData("""{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"once","_meta":{"traceparent":"a","traceparent":"b"}}}""", "traceparent")]
    [InlineData("""{"jsonrpc":"2.0","id":7,"method":"resources/subscribe","params":{"uri":"test://one","uri":"test://two"}}""", "uri")]
    [InlineData("""{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1,"requestId":2}}""", "requestId")]
    public async Task A_message_of_a_session_that_says_something_twice_is_refused(string message, string member)
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();
        foreach (var replica in new[] { cluster[0], cluster[1] })
        {
            using var refused = await client.PostTextAsync(replica, message);
            Assert.Equal(400, (int)refused.Status);
            var answer = await refused.JsonAsync();
            Assert.Equal(-32600, (int)answer["error"]!["code"]!);
            Assert.Equal($"The message repeats the member '{member}'. Send each member once.", (string?)answer["error"]!["message"]);
            Assert.Equal(message.Contains("\"id\"", StringComparison.Ordinal) ? 7 : null, (int?)answer["id"]);
        }

        Assert.Equal(0, cluster.Tool.Runs);
        Assert.Equal("x", await client.CallAsync(cluster[1], "once", "x"));
    }

    [Theory]
    [InlineData("2025-03-26", true)]
    [InlineData("2025-03-26", false)]
    [InlineData("2025-11-25", true)]
    [InlineData("2026-07-28", false)]
    public async Task A_JSON_RPC_batch_is_refused_on_every_revision_and_nothing_of_it_runs(string version, bool session)
    {
        await using var cluster = await InProcessCluster.StartAsync(1);
        using var client = session ? await cluster.ConnectAsync(version: version) : new RawClient { Version = version };
        foreach (var batch in new[] { $" [{client.Call("once").ToJsonString()}]", "\r\n\t[]", "[" })
            await RefusedAsync(client.PostTextAsync(cluster[0], batch), 400, -32600, "one JSON-RPC message per POST");
        Assert.Equal(0, cluster.Tool.Runs);
    }

    [Fact]
    public async Task Errors_carry_the_id_of_the_request()
    {
        await using var cluster = await InProcessCluster.StartAsync(1, o => o.HoldTime = TimeSpan.Zero);
        using var client = new RawClient { SessionId = "unknown" };
        using var refused = await client.PostAsync(cluster[0], client.Call("once", id: "my-id"));
        Assert.Equal("my-id", (string?)(await refused.JsonAsync())["id"]);

        client.SessionId = null;
        cluster[0].Store.Away = true;
        var initialize = client.Initialize();
        using var unavailable = await client.PostAsync(cluster[0], initialize);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, unavailable.Status);
        Assert.Equal((int)initialize["id"]!, (int)(await unavailable.JsonAsync())["id"]!);
    }

    [Fact]
    public async Task Unknown_tools_methods_and_arguments_are_answered_by_the_session()
    {
        await using var cluster = await InProcessCluster.StartAsync(1);
        using var client = await cluster.ConnectAsync();
        using var method = await client.PostAsync(cluster[0], client.Request("no/such"));
        Assert.Equal(-32601, (int)(await method.AnswerAsync())["error"]!["code"]!);
        using var tool = await client.PostAsync(cluster[0], client.Call("no-such"));
        Assert.Equal(-32602, (int)(await tool.AnswerAsync())["error"]!["code"]!);
        foreach (var parameters in new[] { "[]", "{}", "{\"name\":7}", "{\"name\":\"once\",\"arguments\":[]}", "\"x\"", "null" })
        {
            using var wrong = await client.PostTextAsync(cluster[0], $$"""{"jsonrpc":"2.0","id":"{{parameters.Length}}","method":"tools/call","params":{{parameters}}}""");
            Assert.InRange((int)wrong.Status, 200, 400);
            Assert.NotNull((await wrong.AnswerAsync())["error"] ?? (await wrong.JsonAsync())["result"]);
        }

        Assert.Equal("x", await client.CallAsync(cluster[0], "once", "x"));
    }

    [Fact]
    public async Task A_session_ends_through_any_replica_and_is_unknown_afterwards_everywhere()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();
        using var stream = await client.GetAsync(cluster[0]);
        await stream.NextAsync();

        using var deleted = await client.DeleteAsync(cluster[1]);

        Assert.Equal(HttpStatusCode.OK, deleted.Status);
        Assert.Null(cluster[0].Session(client.SessionId!));
        foreach (var replica in new[] { cluster[0], cluster[1] })
        {
            using var call = await client.PostAsync(replica, client.Call("once"));
            Assert.Equal(HttpStatusCode.NotFound, call.Status);
            using var again = await client.DeleteAsync(replica);
            Assert.Equal(HttpStatusCode.NotFound, again.Status);
        }
    }

    [Fact]
    public async Task A_delete_that_meets_a_fenced_owner_ends_the_session_at_the_new_one()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();
        await cluster.CutOffAsync(cluster[0]);
        await client.CallAsync(cluster[1], "again");

        using var deleted = await client.DeleteAsync(cluster[0]);

        Assert.Equal(HttpStatusCode.OK, deleted.Status);
        Assert.Null(cluster[1].Session(client.SessionId!));
    }

    [Fact]
    public async Task A_delete_that_the_store_did_not_confirm_leaves_a_session_that_can_be_used_or_deleted_again()
    {
        await using var cluster = await InProcessCluster.StartAsync(1, o => o.HoldTime = TimeSpan.Zero);
        using var client = await cluster.ConnectAsync();
        cluster[0].Store.Away = true;
        using (var failed = await client.DeleteAsync(cluster[0]))
            Assert.Equal(HttpStatusCode.ServiceUnavailable, failed.Status);
        cluster[0].Store.Away = false;

        Assert.Equal("x", await client.CallAsync(cluster[0], "once", "x"));
        using var deleted = await client.DeleteAsync(cluster[0]);
        Assert.Equal(HttpStatusCode.OK, deleted.Status);
    }

    [Fact]
    public async Task A_session_belongs_to_the_user_who_opened_it()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync(user: "ada");
        Assert.Equal("x", await client.CallAsync(cluster[1], "once", "x"));
        foreach (var other in new[] { "eve", null })
        {
            client.User = other;
            foreach (var replica in new[] { cluster[0], cluster[1] })
            {
                using var post = await client.PostAsync(replica, client.Call("once"));
                using var get = await client.GetAsync(replica);
                using var delete = await client.DeleteAsync(replica);
                Assert.Equal([HttpStatusCode.Forbidden, HttpStatusCode.Forbidden, HttpStatusCode.Forbidden], [post.Status, get.Status, delete.Status]);
            }
        }

        client.User = "ada";
        await cluster.CutOffAsync(cluster[0]);
        Assert.Equal("y", await client.CallAsync(cluster[1], "once", "y"));
        Assert.Equal(2, cluster.Tool.Runs);
    }

    [Fact]
    public async Task A_peer_that_is_asked_by_mistake_says_so_and_does_not_forward_again()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();
        using var meantForOther = await client.PostAsync(cluster[1], client.Call("once"), h => h.TryAddWithoutValidation("Mcp-Ha-Hop", "somebody"));
        using var notOwner = await client.PostAsync(cluster[1], client.Call("once"), h => h.TryAddWithoutValidation("Mcp-Ha-Hop", "replica-b"));

        Assert.Equal(HttpStatusCode.MisdirectedRequest, meantForOther.Status);
        Assert.Equal(HttpStatusCode.MisdirectedRequest, notOwner.Status);
        Assert.Equal("replica-a", notOwner.Header("Mcp-Ha-Owner"));
        Assert.Equal(0, cluster.Tool.Runs);
    }

    [Fact]
    public async Task Nothing_of_the_cluster_reaches_a_client_that_is_no_relay()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();
        foreach (var replica in new[] { cluster[0], cluster[1] })
        {
            using var call = await client.PostAsync(replica, client.Call("once"));
            using var stream = await client.GetAsync(replica);
            foreach (var name in new[] { "Mcp-Ha-Owner", "Mcp-Ha-Cursor", "Mcp-Ha-Transient", "Mcp-Ha-Hop" })
            {
                Assert.Null(call.Header(name));
                Assert.Null(stream.Header(name));
            }
        }
    }

    [Theory]
    [InlineData(SessionMode.Hybrid, 200, 200)]
    [InlineData(SessionMode.Stateful, 400, 200)]
    [InlineData(SessionMode.Stateless, 200, 200)]
    public async Task The_session_mode_decides_who_gets_a_session(SessionMode mode, int statelessStatus, int initializeStatus)
    {
        await using var cluster = await InProcessCluster.StartAsync(1, o => o.SessionMode = mode);
        using var modern = new RawClient { Version = "2026-07-28" };
        var request = modern.Call("once", "x");
        request["params"]!["_meta"] = new JsonObject
        {
            ["io.modelcontextprotocol/protocolVersion"] = "2026-07-28",
            ["io.modelcontextprotocol/clientInfo"] = new JsonObject { ["name"] = "raw", ["version"] = "1" },
            ["io.modelcontextprotocol/clientCapabilities"] = new JsonObject(),
        };
        using var stateless = await modern.PostAsync(cluster[0], request, h =>
        {
            h.TryAddWithoutValidation("Mcp-Method", "tools/call");
            h.TryAddWithoutValidation("Mcp-Name", "once");
        });
        var answer = await stateless.AnswerAsync();
        Assert.Equal(statelessStatus, (int)stateless.Status);
        if (mode == SessionMode.Stateful)
        {
            Assert.Equal(-32022, (int)answer["error"]!["code"]!);
            Assert.Contains("2025-11-25", answer["error"]!["data"]!["supported"]!.AsArray().Select(v => (string?)v));
        }
        else
        {
            Assert.Equal("x", RawClient.TextOf(answer));
        }

        using var classic = new RawClient();
        using var opened = await classic.PostAsync(cluster[0], classic.Initialize());
        Assert.Equal(initializeStatus, (int)opened.Status);
        Assert.Equal(mode != SessionMode.Stateless, opened.Header("Mcp-Session-Id") is not null);
        using var get = await classic.GetAsync(cluster[0]);
        Assert.Equal(mode == SessionMode.Stateless ? HttpStatusCode.MethodNotAllowed : HttpStatusCode.BadRequest, get.Status);
    }

    [Fact]
    public async Task Requests_that_break_off_leave_no_error_behind()
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
        for (var n = 0; n < 4; n++)
        {
            var call = await client.PostAsync(cluster[n % 2], client.Call("once", $"{n}", progress: true));
            await call.MessageAsync();
            call.Dispose();
            var stream = await client.GetAsync(cluster[n % 2]);
            stream.Dispose();
        }

        // A body that never comes to its end.
        using (var socket = new System.Net.Sockets.TcpClient("127.0.0.1", cluster[0].Endpoint.Port))
        {
            await socket.GetStream().WriteAsync(
                "POST /mcp HTTP/1.1\r\nHost: x\r\nAccept: application/json, text/event-stream\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"u8.ToArray());
        }

        var session = cluster[0].Session(client.SessionId!)!;
        await Wait.UntilAsync(() => session.ReaderCount == 0, "all readers to be gone");
    }

    private static void Accept(HttpRequestHeaders headers, string value)
    {
        headers.Remove("Accept");
        headers.TryAddWithoutValidation("Accept", value);
    }

    private static void Version(HttpRequestHeaders headers, string value)
    {
        headers.Remove("MCP-Protocol-Version");
        headers.TryAddWithoutValidation("MCP-Protocol-Version", value);
    }

    private static async Task RefusedAsync(Task<Exchange> request, int status, int code, string text)
    {
        using var refused = await request;
        var body = await refused.BodyAsync();
        Assert.Equal((status, body), ((int)refused.Status, body));
        var error = JsonNode.Parse(body)!["error"]!;
        Assert.Equal(code, (int)error["code"]!);
        Assert.Contains(text, (string)error["message"]!, StringComparison.Ordinal);
    }
}

using System.IO.Compression;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using Mcp.HighAvailability;
using Mcp.HighAvailability.Protocol;
using Mcp.HighAvailability.Sessions;
using Mcp.HighAvailability.Storage;

namespace McpHa.Tests;

/// <summary>What clients send that the specification does not foresee, or that they do differently.</summary>
public sealed class WireTests
{
    [Theory]
    [InlineData("2027-01-01", "2025-11-25")]
    [InlineData("2026-07-28", "2025-11-25")]
    [InlineData("1999-01-01", "2025-11-25")]
    [InlineData("", "2025-11-25")]
    [InlineData("2025-03-26", "2025-03-26")]
    [InlineData("2024-11-05", "2024-11-05")]
    public async Task Initialize_negotiates_any_revision_and_a_new_owner_agrees(string asked, string negotiated)
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = new RawClient { Version = negotiated };
        var initialize = client.Initialize();
        initialize["params"]!["protocolVersion"] = asked;
        using (var opened = await client.PostAsync(cluster[0], initialize))
        {
            Assert.Equal(200, (int)opened.Status);
            Assert.Equal(negotiated, (string?)(await opened.AnswerAsync())["result"]!["protocolVersion"]);
            client.SessionId = opened.Header("Mcp-Session-Id");
        }

        await cluster.CutOffAsync(cluster[0]);
        Assert.Equal("x", await client.CallAsync(cluster[1], "once", "x"));
        Assert.Equal(negotiated, cluster[1].Session(client.SessionId!)!.ProtocolVersion);
    }

    [Theory]
    [InlineData(SessionMode.Hybrid)]
    [InlineData(SessionMode.Stateful)]
    [InlineData(SessionMode.Stateless)]
    public async Task A_header_of_an_unknown_revision_does_not_keep_initialize_from_negotiating(SessionMode mode)
    {
        await using var cluster = await InProcessCluster.StartAsync(1, o => o.SessionMode = mode);
        using var client = new RawClient();
        var initialize = client.Initialize();
        initialize["params"]!["protocolVersion"] = "2027-01-01";
        using var opened = await client.PostAsync(cluster[0], initialize, h => h.TryAddWithoutValidation("MCP-Protocol-Version", "2027-01-01"));

        Assert.Equal("2025-11-25", (string?)(await opened.AnswerAsync())["result"]?["protocolVersion"]);
    }

    [Fact]
    public async Task Initialize_with_the_header_or_the_body_of_the_stateless_revision_is_refused()
    {
        await using var cluster = await InProcessCluster.StartAsync(1);
        using var client = new RawClient();
        using var header = await client.PostAsync(cluster[0], client.Initialize(), h => h.TryAddWithoutValidation("MCP-Protocol-Version", "2026-07-28"));
        var initialize = client.Initialize();
        initialize["params"]!["_meta"] = StatelessClient.Meta();
        using var body = await client.PostAsync(cluster[0], initialize);

        Assert.Equal(400, (int)header.Status);
        Assert.Equal(400, (int)body.Status);
    }

    [Fact]
    public async Task A_second_initialize_in_a_session_is_refused_by_the_first_owner_and_by_the_next()
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();
        await AssertRefusedAsync(cluster[0]);
        await AssertRefusedAsync(cluster[1]);
        await cluster.CutOffAsync(cluster[0]);
        await AssertRefusedAsync(cluster[1]);
        Assert.Equal("x", await client.CallAsync(cluster[1], "once", "x"));

        async Task AssertRefusedAsync(InProcessReplica replica)
        {
            var initialize = client.Initialize();
            initialize["params"]!["protocolVersion"] = "2025-03-26";
            using var refused = await client.PostAsync(replica, initialize);
            Assert.Equal(400, (int)refused.Status);
            var error = (await refused.JsonAsync())["error"]!;
            Assert.Equal(-32600, (int)error["code"]!);
            Assert.Contains("without the Mcp-Session-Id header", (string?)error["message"], StringComparison.Ordinal);
            Assert.Equal("2025-11-25", cluster.Snapshot(client.SessionId!)!.Record.ProtocolVersion);
        }
    }

    [Fact]
    public async Task By_HTTP_SSE_a_second_initialize_is_recorded_as_the_first_was_and_wrong_parameters_fail_the_POST()
    {
        await using var cluster = await InProcessCluster.StartAsync(1, o => o.EnableLegacySse = true);
        using var client = new LegacyClient();
        using var stream = await client.ConnectAsync(cluster[0]);
        using (var wrong = await client.PostAsync(cluster[0], """{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":7}}"""))
        {
            Assert.Equal(400, (int)wrong.StatusCode);
            Assert.Contains("'params.name' must be a string", await wrong.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        }

        await client.AcceptedAsync(cluster[0], client.Request("initialize", new JsonObject
        {
            ["protocolVersion"] = "2027-01-01",
            ["capabilities"] = new JsonObject(),
            ["clientInfo"] = new JsonObject { ["name"] = "second", ["version"] = "1" },
        }));
        Assert.Equal("2025-11-25", (string?)(await stream.MessageAsync())["result"]!["protocolVersion"]);

        var recorded = Encoding.UTF8.GetString(cluster.Snapshot(client.SessionId)!.Record.Handshake[HandshakeKeys.Initialize].Span);
        Assert.Contains("second", recorded, StringComparison.Ordinal);
        Assert.DoesNotContain("2027", recorded, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("gzip", 415)]
    [InlineData("br", 415)]
    [InlineData("identity, gzip", 415)]
    [InlineData("identity", 200)]
    public async Task An_encoded_body_is_415_with_the_cure(string encoding, int status)
    {
        await using var cluster = await InProcessCluster.StartAsync(1);
        using var client = await cluster.ConnectAsync();
        var body = Encoding.UTF8.GetBytes(client.Call("once", "x").ToJsonString());
        if (status == 415)
        {
            using var packed = new MemoryStream();
            using (var gzip = new GZipStream(packed, CompressionMode.Compress))
                gzip.Write(body);
            body = packed.ToArray();
        }

        using var http = new HttpClient();
        using var request = new HttpRequestMessage(HttpMethod.Post, cluster[0].Endpoint) { Content = new ByteArrayContent(body) };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        request.Content.Headers.TryAddWithoutValidation("Content-Encoding", encoding);
        request.Headers.TryAddWithoutValidation("Accept", "application/json, text/event-stream");
        request.Headers.TryAddWithoutValidation("Mcp-Session-Id", client.SessionId);
        using var response = await http.SendAsync(request);

        Assert.Equal(status, (int)response.StatusCode);
        if (status == 415)
            Assert.Contains("without the header 'Content-Encoding'", await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Text_goes_out_and_into_the_journal_as_UTF_8()
    {
        const string Text = "\"quoted\" <tag> é 漢字 😀 \\u0041 \\ line\nfeed \u2028 \u0001";
        await using var cluster = await InProcessCluster.StartAsync();
        using var client = await cluster.ConnectAsync();
        using var exchange = await client.PostAsync(cluster[0], client.Call("once", Text, progress: true));
        var answer = await exchange.AnswerAsync();
        Assert.Equal(Text, RawClient.TextOf(answer));

        var stored = Encoding.UTF8.GetString(cluster.Journal(client.SessionId!).Single().Payload.Span);
        Assert.Contains("""\"quoted\" <tag> é 漢字 😀 \\u0041 \\ line\nfeed""", stored, StringComparison.Ordinal);
        Assert.Contains("\\u0001", stored, StringComparison.Ordinal);
        Assert.DoesNotContain("\\u0022", stored, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_body_that_is_nested_too_deeply_is_400()
    {
        await using var cluster = await InProcessCluster.StartAsync(1);
        using var client = await cluster.ConnectAsync();
        var deep = string.Concat(Enumerable.Repeat("{\"a\":", 2_000)) + "1" + new string('}', 2_000);
        using var refused = await client.PostTextAsync(
            cluster[0], """{"jsonrpc":"2.0","id":1.0,"method":"tools/call","params":{"name":"once","arguments":""" + deep + "}}");

        Assert.Equal(400, (int)refused.Status);
        Assert.Equal(0, cluster.Tool.Runs);
    }

    [Fact]
    public async Task Text_goes_out_as_UTF_8_without_a_session_too()
    {
        await using var cluster = await InProcessCluster.StartAsync(1);
        using var client = StatelessClient.New();
        var arguments = new JsonObject { ["text"] = "\"quoted\" é 😀" };
        using var exchange = await client.AskAsync(cluster[0], "tools/call", new JsonObject { ["name"] = "once", ["arguments"] = arguments });
        var answer = await exchange.BodyAsync();

        Assert.Contains("""\"quoted\" é 😀""", answer, StringComparison.Ordinal);
        Assert.DoesNotContain("\\u", answer, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"a":"\u0041\uD83D\uDE00\\u0041\\\u00e9"}""", """{"a":"A😀\\u0041\\é"}""")]
    [InlineData("""{"a":"\u0022\u005c\u005cu0041\u0000\u001F\n\ud800"}""", """{"a":"\"\\\\u0041\u0000\u001F\n\ud800"}""")]
    [InlineData("""{"a":"\ud83d\u0041"}""", """{"a":"\ud83dA"}""")]
    [InlineData("""{"a":"\\\\\u2028"}""", "{\"a\":\"\\\\\\\\\u2028\"}")]
    [InlineData("{}", "{}")]
    public void Only_escapes_that_JSON_asks_for_stay(string json, string expected)
    {
        var written = Encoding.UTF8.GetString(JsonEscapes.Remove(Encoding.UTF8.GetBytes(json)));
        Assert.Equal(expected, written);
        if (!json.Contains("ud8", StringComparison.Ordinal))
            Assert.Equal(JsonNode.Parse(json)!.ToJsonString(), JsonNode.Parse(written)!.ToJsonString());
    }
}

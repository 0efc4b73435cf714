using System.Net;
using System.Text;
using McpHa.Tests.Clients;
using McpHa.Tests.Cluster;

namespace McpHa.Tests;

/// <summary>Whatever is wrong with a request is said, in HTTP and in JSON-RPC, and costs no session.</summary>
public sealed class BadRequestTests(ClusterFixture fixture) : ClusterTest(fixture)
{
    [Theory]
    [MemberData(nameof(BothWays))]
    public async Task A_body_that_is_no_JSON_or_no_message_is_400(Access access)
    {
        using var client = await ConnectRawAsync(access);
        foreach (var (body, code) in new[]
        {
            ("", -32700), ("{", -32700), ("no json", -32700), ("""{"jsonrpc":"2.0","id":1,"method":"ping""", -32700), ("\u0000", -32700),
            ("null", -32600), ("[]", -32600), ("""{"jsonrpc":"2.0"}""", -32600),
        })
        {
            using var response = await client.PostAsync(body);
            Assert.True(response.Status == HttpStatusCode.BadRequest, $"{response.Status} for '{body}'");
            Assert.Equal(code, (int)(await response.AnswerAsync())["error"]!["code"]!);
        }

        await AssertAliveAsync(client);
    }

    [Theory]
    [MemberData(nameof(BothWays))]
    public async Task A_body_that_is_too_large_is_413(Access access)
    {
        using var client = await ConnectRawAsync(access);
        var large = RawClient.ToolCall(1, "echo", new { text = new string('x', 5 * 1024 * 1024) });

        using var response = await client.PostAsync(large);
        using var chunked = await client.PostAsync(new StringContent(large, Encoding.UTF8, "application/json"), request => request.Headers.TransferEncodingChunked = true);

        foreach (var refused in new[] { response, chunked })
        {
            Assert.Equal(HttpStatusCode.RequestEntityTooLarge, refused.Status);
            Assert.Contains("larger", (string)(await refused.AnswerAsync())["error"]!["message"]!, StringComparison.Ordinal);
        }

        await AssertAliveAsync(client);
    }

    [Theory]
    [MemberData(nameof(BothWays))]
    public async Task A_client_that_accepts_only_one_of_JSON_and_event_streams_is_406(Access access)
    {
        using var client = await ConnectRawAsync(access);
        foreach (var accept in new[] { "application/json", "text/event-stream", "text/html" })
        {
            using var post = await client.PostAsync(RawClient.ToolCall(1, "echo", new { text = "x" }), Accept(accept));
            Assert.Equal(HttpStatusCode.NotAcceptable, post.Status);
            Assert.Equal(-32000, (int)(await post.AnswerAsync())["error"]!["code"]!);
        }

        using var get = await client.GetAsync(change: Accept("application/json"));
        Assert.Equal(HttpStatusCode.NotAcceptable, get.Status);
        await AssertAliveAsync(client);

        static Action<HttpRequestMessage> Accept(string type) => request =>
        {
            request.Headers.Accept.Clear();
            request.Headers.Accept.Add(new(type));
        };
    }

    [Theory]
    [MemberData(nameof(BothWays))]
    public async Task What_changes_or_reads_a_session_is_400_without_one(Access access)
    {
        using var client = await ConnectRawAsync(access);
        var session = client.SessionId;
        client.SessionId = null;

        using var post = await client.PostAsync(RawClient.Request(1, "logging/setLevel", new { level = "info" }));
        using var get = await client.GetAsync();
        using var delete = await client.DeleteAsync();

        Assert.Equal([HttpStatusCode.BadRequest, HttpStatusCode.BadRequest, HttpStatusCode.BadRequest], [post.Status, get.Status, delete.Status]);
        client.SessionId = session;
        await AssertAliveAsync(client);
    }

    [Theory]
    [MemberData(nameof(BothWays))]
    public async Task An_unsupported_protocol_version_is_400_and_names_the_supported_ones(Access access)
    {
        using var client = await ConnectRawAsync(access);

        using var response = await client.PostAsync(
            RawClient.ToolCall(1, "echo", new { text = "x" }), request => request.Headers.Add("MCP-Protocol-Version", "1999-12-31"));

        Assert.Equal(HttpStatusCode.BadRequest, response.Status);
        var error = (await response.AnswerAsync())["error"]!;
        Assert.Equal(-32022, (int)error["code"]!);
        Assert.Contains("2025-11-25", error["data"]!["supported"]!.AsArray().Select(version => (string)version!));
        await AssertAliveAsync(client);
    }

    [Theory]
    [MemberData(nameof(BothWays))]
    public async Task A_malformed_Last_Event_ID_is_400(Access access)
    {
        using var client = await ConnectRawAsync(access);
        foreach (var id in new[] { "x", "-1", "c1x1", "c1x1-", "c1x1--1", "c1x1-1e3", "c0x1-1", "w-1", "c1x1-99999999999999999999", new string('9', 200) })
        {
            using var response = await client.GetAsync(id);
            Assert.True(response.Status == HttpStatusCode.BadRequest, $"{response.Status} for '{id}'");
            Assert.Contains("Last-Event-ID", (string)(await response.AnswerAsync())["error"]!["message"]!, StringComparison.Ordinal);
        }

        await AssertAliveAsync(client);
    }

    [Theory]
    [MemberData(nameof(BothWays))]
    public async Task An_event_id_that_another_session_was_given_is_400(Access access)
    {
        using var busy = await ConnectRawAsync(access);
        using var quiet = await ConnectRawAsync(access);
        for (var call = 1; call <= 5; call++)
            await busy.CallAsync(call, "echo", new { text = "x" });
        using var stream = await busy.PostAsync(RawClient.ToolCall("steps", "countdown", new { seconds = 0.1, intervalMs = 20 }, progressToken: "steps"));
        await stream.Read();

        foreach (var e in stream.Events.Where(e => e.Message is not null))
        {
            using var response = await quiet.GetAsync(e.Id);
            Assert.Equal(HttpStatusCode.BadRequest, response.Status);
        }

        await AssertAliveAsync(quiet);
    }

    private static async Task AssertAliveAsync(RawClient client) =>
        Assert.Equal("alive", (string?)(await client.CallAsync($"alive-{Guid.NewGuid()}", "echo", new { text = "alive" }))["result"]!["content"]![0]!["text"]);
}

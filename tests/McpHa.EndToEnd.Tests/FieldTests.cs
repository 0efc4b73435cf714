using System.IO.Compression;
using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using McpHa.Tests.Clients;
using McpHa.Tests.Cluster;

namespace McpHa.Tests;

/// <summary>What clients in the field send, once through the balancer; every case of it in process: <c>ParameterTests</c>, <c>WireTests</c>.</summary>
public sealed class FieldTests(ClusterFixture fixture) : ClusterTest(fixture)
{
    [Fact]
    public async Task A_client_is_told_what_is_wrong_through_the_balancer()
    {
        using var client = await ConnectRawAsync(Access.Balancer);
        foreach (var (message, code, named) in new[]
        {
            ("""{"jsonrpc":"2.0","id":81,"method":"tools/list","params":[]}""", -32602, "'params' must be an object"),
            ("""{"jsonrpc":"2.0","id":82,"method":"tools/call","params":{"arguments":{}}}""", -32602, "'params.name' is missing"),
            ("""{"jsonrpc":"2.0","id":83,"method":"resources/read","params":{"uri":7}}""", -32602, "'params.uri' must be a string"),
            ("""{"jsonrpc":"2.0","id":91,"method":"logging/setLevel","params":{"level":"verbose"}}""", -32602, "debug, info"),
            ("""{"jsonrpc":"2.0","id":101,"method":"tools/list","params":{"cursor":"bogus"}}""", -32602, "nextCursor"),
            ("{bad", -32700, "not valid JSON"),
            (RawClient.Request(1, "initialize", new { protocolVersion = "2025-11-25", capabilities = new { }, clientInfo = new { name = "x", version = "1" } }), -32600, "has been initialized"),
        })
        {
            using var response = await client.PostAsync(message);
            var error = (await response.AnswerAsync())["error"];
            Assert.True((int?)error?["code"] == code, $"{error?.ToJsonString()} for {message}");
            Assert.Contains(named, (string?)error!["message"], StringComparison.Ordinal);
        }

        using var first = await client.PostAsync("""{"jsonrpc":"2.0","id":102,"method":"tools/list","params":{"cursor":""}}""");
        Assert.NotEmpty((await first.AnswerAsync())["result"]!["tools"]!.AsArray());
        using var gzip = await client.PostAsync(Packed(RawClient.ToolCall(5, "echo", new { text = "z" })));
        Assert.Equal(HttpStatusCode.UnsupportedMediaType, gzip.Status);
        using var call = await client.PostAsync("""{"jsonrpc":"2.0","id":1.0,"method":"tools/call","params":{"name":"countdown","arguments":{"seconds":0.0,"intervalMs":50.0}}}""");
        var answer = await call.AnswerAsync();
        Assert.Equal("1", answer["id"]!.ToJsonString());
        Assert.True(answer["result"]?["isError"] is null or JsonValue, answer.ToJsonString());
        Assert.Contains("liftoff", answer.ToJsonString(), StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task Initialize_negotiates_through_the_balancer()
    {
        using var client = new RawClient(Cluster.Endpoint);
        foreach (var version in new[] { "2027-01-01", "2026-07-28" })
        {
            using var response = await client.PostAsync(RawClient.Request(1, "initialize", new { protocolVersion = version, capabilities = new { }, clientInfo = new { name = "x", version = "1" } }));
            Assert.Equal("2025-11-25", (string?)(await response.AnswerAsync())["result"]?["protocolVersion"]);
        }

        using var without = await client.PostAsync(RawClient.Request(1, "initialize", new { protocolVersion = "2025-11-25", clientInfo = new { name = "x", version = "1" } }));
        Assert.Contains("'params.capabilities' is missing", (string?)(await without.AnswerAsync())["error"]?["message"], StringComparison.Ordinal);
    }

    private static ByteArrayContent Packed(string body)
    {
        using var packed = new MemoryStream();
        using (var gzip = new GZipStream(packed, CompressionMode.Compress))
            gzip.Write(Encoding.UTF8.GetBytes(body));
        var content = new ByteArrayContent(packed.ToArray());
        content.Headers.ContentType = new("application/json");
        content.Headers.ContentEncoding.Add("gzip");
        return content;
    }
}

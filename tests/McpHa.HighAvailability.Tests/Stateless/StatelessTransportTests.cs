using System.Net;
using System.Net.Http.Headers;
using System.Text.Encodings.Web;
using System.Text.Json.Nodes;
using Mcp.HighAvailability;
using Microsoft.Extensions.DependencyInjection;
using ModelContextProtocol.AspNetCore;
using ModelContextProtocol.Server;

namespace McpHa.Tests;

/// <summary>The SDK's transport behind the endpoint: its rules hold, and where it is wrong the request is served as the protocol says.</summary>
public sealed class StatelessTransportTests
{
    [Theory]
    [InlineData("Mcp-Param-Region", null, "the-north", null)]
    [InlineData("Mcp-Param-Region", "the-south", "the-north", null)]
    [InlineData("Mcp-Param-Region", "=?base64?/w==?=", "the-north", null)]
    [InlineData("Mcp-Param-Region", "=?base64?dGhlLW5vcnRo?=", "the-north", "the-north 7")]
    [InlineData("Mcp-Param-Region", "the-north", "the-north", "the-north 7")]
    [InlineData("Mcp-Param-Count", "8", "the-north", null)]
    [InlineData("Mcp-Param-Count", "7.0", "the-north", "the-north 7")]
    [InlineData("Mcp-Param-Count", "9007199254740993", "the-north", null)]
    public async Task Arguments_that_are_repeated_in_headers_agree_with_them(string header, string? value, string region, string? answer)
    {
        await using var cluster = await InProcessCluster.StartAsync(1, server: server => server.WithTools<RoutedTools>());
        using var client = StatelessClient.New();
        var call = new JsonObject { ["name"] = "routed", ["arguments"] = new JsonObject { ["region"] = region, ["count"] = 7 } };
        using var exchange = await client.AskAsync(cluster[0], "tools/call", call, headers =>
        {
            (headers["Mcp-Param-Region"], headers["Mcp-Param-Count"]) = (region, "7");
            headers.Remove(header);
            if (value is not null)
                headers[header] = value;
        });

        Assert.Equal(answer is null ? HttpStatusCode.BadRequest : HttpStatusCode.OK, exchange.Status);
        if (answer is not null)
        {
            Assert.Equal(answer, RawClient.TextOf(await exchange.AnswerAsync()));
            return;
        }

        var error = (await exchange.AnswerAsync())["error"]!;
        Assert.Equal(-32020, (int)error["code"]!);
        Assert.Contains(header, (string?)error["message"], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("2025-11-25")]
    public async Task A_body_that_names_the_revision_needs_it_in_the_header(string? header)
    {
        await using var cluster = await InProcessCluster.StartAsync(1);
        using var client = new RawClient();
        var call = client.Call("once", "x");
        call["params"]!["_meta"] = StatelessClient.Meta();
        using var exchange = await client.PostAsync(cluster[0], call, headers =>
        {
            if (header is not null)
                headers.TryAddWithoutValidation("MCP-Protocol-Version", header);
        });

        Assert.Equal(HttpStatusCode.BadRequest, exchange.Status);
        Assert.Equal(-32020, (int)(await exchange.AnswerAsync())["error"]!["code"]!);
        Assert.Equal(0, cluster.Tool.Runs);
    }

    [Theory]
    [InlineData("""{"own":1,"jsonrpc":"2.0","id":1,"method":"tools/call","params":PARAMS}""")]
    [InlineData("""{"jsonrpc":"2.0","id":1,"method":"tools/call","params":PARAMS,"own":{"a":[{}]}}""")]
    public async Task Members_that_the_protocol_does_not_define_are_passed_over(string body)
    {
        await using var cluster = await InProcessCluster.StartAsync(1);
        using var client = StatelessClient.New();
        using var exchange = await client.PostTextAsync(cluster[0], body.Replace("PARAMS", Parameters("x").ToJsonString(), StringComparison.Ordinal), Name);

        Assert.Equal("x", RawClient.TextOf(await exchange.AnswerAsync()));
    }

    [Theory]
    [InlineData("iso-8859-1")]
    [InlineData("utf-16")]
    [InlineData("unheard-of")]
    public async Task The_body_is_read_as_UTF_8_whatever_charset_the_header_names(string charset)
    {
        await using var cluster = await InProcessCluster.StartAsync(1);
        using var client = StatelessClient.New();
        JsonObject call = new() { ["jsonrpc"] = "2.0", ["id"] = 1, ["method"] = "tools/call", ["params"] = Parameters("é") };
        using var content = new StringContent(call.ToJsonString(new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }));
        content.Headers.ContentType = new MediaTypeHeaderValue("application/json") { CharSet = charset };
        using var request = new HttpRequestMessage(HttpMethod.Post, cluster[0].Endpoint) { Content = content };
        request.Headers.TryAddWithoutValidation("Accept", "application/json, text/event-stream");
        using var exchange = await client.SendAsync(request, Name);

        Assert.Equal("é", RawClient.TextOf(await exchange.AnswerAsync()));
    }

    [Fact]
    public async Task A_name_that_is_no_text_is_refused_for_a_handler_of_the_servers_own()
    {
        McpServerRequestHandler own = new()
        {
            Method = "own/method",
            RoutingNameParameter = "name",
            Handler = static (_, _) => ValueTask.FromResult<JsonNode?>(new JsonObject { ["served"] = true }),
        };
        await using var cluster = await InProcessCluster.StartAsync(
            1, server: server => server.Services.Configure<McpServerOptions>(options => options.RequestHandlers = [own]));
        using var client = StatelessClient.New();
        using (var served = await client.AskAsync(cluster[0], "own/method", new() { ["name"] = "x" }))
            Assert.True((bool)(await served.AnswerAsync())["result"]!["served"]!);
        var wrong = client.Request("own/method", new() { ["name"] = 7, ["_meta"] = StatelessClient.Meta() });
        using var refused = await client.PostAsync(cluster[0], wrong, headers =>
        {
            headers.TryAddWithoutValidation("Mcp-Method", "own/method");
            headers.TryAddWithoutValidation("Mcp-Name", "7");
        });

        Assert.Equal(HttpStatusCode.BadRequest, refused.Status);
        Assert.Equal(-32602, (int)(await refused.AnswerAsync())["error"]!["code"]!);
    }

    [Theory]
    [InlineData("2025-06-18")]
    [InlineData("1999-01-01")]
    public async Task Initialize_negotiates_its_revision_in_the_body_without_sessions_too(string header)
    {
        await using var cluster = await InProcessCluster.StartAsync(1, o => o.SessionMode = SessionMode.Stateless);
        using var client = new RawClient();
        using var exchange = await client.PostAsync(
            cluster[0], client.Initialize(), headers => headers.TryAddWithoutValidation("MCP-Protocol-Version", header));

        Assert.Equal("2025-11-25", (string?)(await exchange.AnswerAsync())["result"]!["protocolVersion"]);
    }

    [Fact]
    public async Task The_applications_own_transport_options_change_nothing_here()
    {
        await using var cluster = await InProcessCluster.StartAsync(
            1, server: server => server.WithHttpTransport(o => o.SessionMode = HttpServerSessionMode.Stateful));
        using var client = StatelessClient.New();
        using var exchange = await client.AskAsync(cluster[0], "tools/call", Parameters("x"));

        Assert.Equal("x", RawClient.TextOf(await exchange.AnswerAsync()));
        Assert.Null(exchange.Header("Mcp-Session-Id"));
    }

    private static JsonObject Parameters(string text) =>
        new() { ["name"] = "once", ["arguments"] = new JsonObject { ["text"] = text }, ["_meta"] = StatelessClient.Meta() };

    private static void Name(HttpRequestHeaders headers)
    {
        headers.TryAddWithoutValidation("Mcp-Method", "tools/call");
        headers.TryAddWithoutValidation("Mcp-Name", "once");
    }

    private sealed class RoutedTools
    {
        [McpServerTool(Name = "routed")]
        public static string Routed([McpHeader("Region")] string region, [McpHeader("Count")] int count) => $"{region} {count}";
    }
}

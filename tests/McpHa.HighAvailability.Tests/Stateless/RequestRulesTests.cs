using System.Text.Json.Nodes;

namespace McpHa.Tests;

/// <summary>Messages of revision 2026-07-28 whose headers do not agree with their body never run.</summary>
public sealed class RequestRulesTests
{
    [Theory]
    [InlineData("Mcp-Method", null, -32020)]
    [InlineData("Mcp-Method", "tools/list", -32020)]
    [InlineData("Mcp-Method", "TOOLS/CALL", -32020)]
    [InlineData("Mcp-Name", null, -32020)]
    [InlineData("Mcp-Name", "again", -32020)]
    [InlineData("Mcp-Name", "=?base64?b25jZQ?=", -32020)]
    [InlineData("Mcp-Name", "=?base64?/w==?=", -32020)]
    public async Task Headers_that_are_missing_or_lie_are_refused(string header, string? value, int code)
    {
        await using var cluster = await InProcessCluster.StartAsync(1);
        using var client = StatelessClient.New();
        using var exchange = await client.AskAsync(cluster[0], "tools/call", Call("once"), headers =>
        {
            headers.Remove(header);
            if (value is not null)
                headers[header] = value;
        });

        Assert.Equal(400, (int)exchange.Status);
        var answer = await exchange.AnswerAsync();
        Assert.Equal((code, 1), ((int)answer["error"]!["code"]!, (int)answer["id"]!));
        Assert.Contains(header, (string?)answer["error"]!["message"], StringComparison.Ordinal);
        Assert.Equal(0, cluster.Tool.Runs);
    }

    [Theory]
    [InlineData("once")]
    [InlineData("  once ")]
    [InlineData("=?base64?b25jZQ==?=")]
    public async Task Headers_in_every_form_of_the_same_value_are_served(string name)
    {
        await using var cluster = await InProcessCluster.StartAsync(1);
        using var client = StatelessClient.New();
        using var exchange = await client.AskAsync(cluster[0], "tools/call", Call("once"), headers => headers["Mcp-Name"] = name);

        Assert.Equal("x", RawClient.TextOf(await exchange.AnswerAsync()));
    }

    [Theory]
    [InlineData("io.modelcontextprotocol/protocolVersion", -32602)]
    [InlineData("io.modelcontextprotocol/clientCapabilities", -32602)]
    [InlineData("io.modelcontextprotocol/clientInfo", null)]
    public async Task Meta_members_are_demanded_where_the_revision_demands_them(string member, int? code)
    {
        await using var cluster = await InProcessCluster.StartAsync(1);
        using var client = StatelessClient.New();
        var meta = StatelessClient.Meta();
        meta.Remove(member);
        var call = Call("once");
        call["_meta"] = meta;
        using var exchange = await client.AskAsync(cluster[0], "tools/call", call);

        Assert.Equal(code is null ? 200 : 400, (int)exchange.Status);
        Assert.Equal(code, (int?)(await exchange.AnswerAsync())["error"]?["code"]);
    }

    [Theory]
    [InlineData("initialize")]
    [InlineData("ping")]
    [InlineData("logging/setLevel")]
    [InlineData("resources/subscribe")]
    [InlineData("no/such/method")]
    public async Task Methods_that_the_revision_does_not_have_are_not_found(string method)
    {
        await using var cluster = await InProcessCluster.StartAsync(1);
        using var client = StatelessClient.New();
        using var exchange = await client.AskAsync(cluster[0], method);

        Assert.Equal(404, (int)exchange.Status);
        Assert.Equal(-32601, (int)(await exchange.AnswerAsync())["error"]!["code"]!);
    }

    [Theory]
    [InlineData("""{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"a":1,"a":2}}""")]
    [InlineData("""{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"a":1,"a":2}}}""")]
    public async Task A_message_that_says_something_twice_is_refused(string message)
    {
        await using var cluster = await InProcessCluster.StartAsync(1);
        using var client = StatelessClient.New();
        using var exchange = await client.PostTextAsync(cluster[0], message);

        Assert.Equal(400, (int)exchange.Status);
        Assert.Equal(-32600, (int)(await exchange.AnswerAsync())["error"]!["code"]!);
    }

    private static JsonObject Call(string tool) => new() { ["name"] = tool, ["arguments"] = new JsonObject { ["text"] = "x" } };
}

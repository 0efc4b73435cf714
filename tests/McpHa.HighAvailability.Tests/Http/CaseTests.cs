using System.Text;
using System.Text.Json.Nodes;
using Mcp.HighAvailability.Limits;
using Mcp.HighAvailability.Protocol;
using Mcp.HighAvailability.Sessions;
using Microsoft.Extensions.DependencyInjection;
using ModelContextProtocol.Protocol;
using ModelContextProtocol.Server;

namespace McpHa.Tests;

/// <summary>Members that differ only in case: what a check reads is what runs. Names of the protocol are case-sensitive.</summary>
public sealed class CaseTests
{
    private const string Meta =
        """ "_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{},"IO.modelcontextprotocol/protocolVersion":"x"} """;

    [Theory]
    [InlineData("""{"jsonrpc":"2.0","id":7,"method":"tools/call","Method":"tools/list","params":{"name":"once","Name":"for-admins","arguments":{"text":"x"},META}}""")]
    [InlineData("""{"jsonrpc":"2.0","id":7,"Method":"tools/list","method":"tools/call","params":{"NAME":"for-admins","name":"once","arguments":{"text":"x"},META}}""")]
    [InlineData("""{"jsonrpc":"2.0","ID":8,"id":7,"method":"tools/call","Params":{"name":"for-admins"},"params":{"name":"once","arguments":{"text":"x"},"Arguments":{},META}}""")]
    public async Task The_tool_that_was_checked_runs_on_both_eras(string body)
    {
        await using var cluster = await StartAsync();
        using var session = await cluster.ConnectAsync();
        using (var called = await session.PostTextAsync(cluster[0], body.Replace("META", "\"_meta\":{}", StringComparison.Ordinal)))
            AssertOnce(await called.AnswerAsync());

        using var stateless = StatelessClient.New();
        using (var called = await AskAsync(stateless, "once"))
            AssertOnce(await called.AnswerAsync());
        using (var lie = await AskAsync(stateless, "for-admins"))
        {
            Assert.Equal(400, (int)lie.Status);
            Assert.Equal(-32020, (int)(await lie.AnswerAsync())["error"]!["code"]!);
        }

        Assert.Equal(2, cluster.Tool.Runs);

        Task<Exchange> AskAsync(RawClient client, string name) => client.PostTextAsync(cluster[0], body.Replace("META", Meta, StringComparison.Ordinal), h =>
        {
            h.TryAddWithoutValidation("Mcp-Method", "tools/call");
            h.TryAddWithoutValidation("Mcp-Name", name);
        });

        static void AssertOnce(JsonNode answer)
        {
            Assert.Equal(7, (int)answer["id"]!);
            Assert.Equal("x", RawClient.TextOf(answer));
        }
    }

    [Theory]
    [InlineData("""{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"Name":"once","arguments":{"text":"x"}}}""")]
    [InlineData("""{"jsonrpc":"2.0","id":7,"Method":"tools/call","params":{"name":"once"}}""")]
    [InlineData("""{"jsonrpc":"2.0","id":7,"method":"Tools/Call","params":{"name":"once"}}""")]
    public async Task A_name_in_another_case_is_no_name(string body)
    {
        await using var cluster = await StartAsync();
        using var session = await cluster.ConnectAsync();
        using var called = await session.PostTextAsync(cluster[0], body);

        Assert.NotNull((await called.AnswerAsync())["error"]);
        Assert.Equal(0, cluster.Tool.Runs);
    }

    [Fact]
    public void The_rerun_policy_reads_the_name_that_runs()
    {
        var options = new McpServerOptions
        {
            ToolCollection = [McpServerTool.Create(() => "", new() { Name = "harmless", Idempotent = true }), McpServerTool.Create(() => "", new() { Name = "harmful" })],
        };

        Assert.False(Allows("""{"name":"harmful","Name":"harmless"}"""));
        Assert.False(Allows("""{"Name":"harmless"}"""));
        Assert.True(Allows("""{"name":"harmless","Name":"harmful"}"""));

        bool Allows(string parameters) => RerunPolicy.Allows(
            (JsonRpcRequest)JsonRpc.Parse(Encoding.UTF8.GetBytes($$$"""{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{{parameters}}}}""")), options);
    }

    [Fact]
    public async Task Limits_and_subscriptions_count_the_resource_that_is_subscribed_to()
    {
        await using var cluster = await StartAsync(server => server.Services.Configure<LimitOptions>(o => o.SubscriptionsPerSession = 1));
        using var client = await cluster.ConnectAsync();
        using (var one = await client.PostAsync(cluster[0], client.Request("resources/subscribe", new() { ["uri"] = "test://one", ["Uri"] = "test://two" })))
            Assert.NotNull((await one.AnswerAsync())["result"]);

        var session = cluster[0].Session(client.SessionId!)!;
        Assert.Equal((true, false), (session.IsSubscribed("test://one"), session.IsSubscribed("test://two")));
        using var two = await client.PostAsync(cluster[0], client.Request("resources/subscribe", new() { ["uri"] = "test://two", ["Uri"] = "test://one" }));
        Assert.Equal(429, (int)two.Status);
    }

    private static Task<InProcessCluster> StartAsync(Action<IMcpServerBuilder>? server = null) => InProcessCluster.StartAsync(1, server: s =>
    {
        s.Services.AddAuthorization();
        s.WithTools<GuardedTools>();
        server?.Invoke(s);
    });
}

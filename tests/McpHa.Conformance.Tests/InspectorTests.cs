using System.Text.Json.Nodes;

namespace McpHa.Tests.Conformance;

/// <summary>The MCP Inspector, without its page, against three replicas.</summary>
[Collection(ConformanceCollection.Name)]
public sealed class InspectorTests(ConformanceCluster fixture)
{
    [Fact]
    public async Task The_inspector_lists_the_tools()
    {
        var tools = (await InspectAsync("--method", "tools/list"))["tools"]!.AsArray();

        Assert.Contains("test_simple_text", tools.Select(tool => (string?)tool!["name"]));
    }

    [Fact]
    public async Task The_inspector_calls_a_tool()
    {
        var result = await InspectAsync("--method", "tools/call", "--tool-name", "test_simple_text");

        Assert.Equal("This is a simple text response for testing.", (string?)result["content"]![0]!["text"]);
    }

    [Fact]
    public async Task The_inspector_reads_a_resource()
    {
        var result = await InspectAsync("--method", "resources/read", "--uri", "test://static-text");

        Assert.Equal("This is the content of the static text resource.", (string?)result["contents"]![0]!["text"]);
    }

    [Fact]
    public async Task The_inspector_calls_a_tool_by_HTTP_and_SSE()
    {
        var result = await InspectAsync(new Uri(fixture.Cluster.Endpoint, "/mcp/sse"), "sse", "--method", "tools/call", "--tool-name", "test_simple_text");

        Assert.Equal("This is a simple text response for testing.", (string?)result["content"]![0]!["text"]);
    }

    private Task<JsonNode> InspectAsync(params string[] arguments) => InspectAsync(fixture.Cluster.Endpoint, "http", arguments);

    private async Task<JsonNode> InspectAsync(Uri endpoint, string transport, params string[] arguments)
    {
        Assert.SkipWhen(NodePrograms.Unavailable is not null, NodePrograms.Unavailable ?? "");
        await fixture.CompleteAsync();
        var (exitCode, output) = await NodePrograms.RunAsync(
            "@modelcontextprotocol/inspector/clients/launcher/build/index.js",
            ["--cli", endpoint.AbsoluteUri, "--transport", transport, .. arguments]);
        Assert.True(exitCode == 0, output);
        // Warnings may stand before and behind it.
        return JsonNode.Parse(output[output.IndexOf('{')..(output.LastIndexOf('}') + 1)])!;
    }
}

using System.Text.Json.Nodes;
using ModelContextProtocol.Client;
using ModelContextProtocol.Protocol;

namespace McpHa.Tests;

/// <summary>The sample tools. Replace them together with the tools.</summary>
public sealed class ToolTests(ServerFixture server) : IClassFixture<ServerFixture>
{
    [Fact]
    public async Task Echo_returns_its_text()
    {
        await using var client = await server.ConnectAsync();

        var result = await client.CallToolAsync("echo", new Dictionary<string, object?> { ["text"] = "hello" });

        Assert.Equal("hello", Assert.IsType<TextContentBlock>(Assert.Single(result.Content)).Text);
    }

    [Fact]
    public async Task Notes_belong_to_their_session()
    {
        await using var one = await server.ConnectAsync();
        await using var other = await server.ConnectAsync();

        await AddNoteAsync(one, "mine");
        var notes = await AddNoteAsync(one, "mine too");

        Assert.Equal(["mine", "mine too"], notes);
        Assert.Equal(["yours"], await AddNoteAsync(other, "yours"));
    }

    [Fact]
    public async Task A_missing_argument_is_named()
    {
        await using var client = await server.ConnectAsync();

        var result = await client.CallToolAsync("echo");

        Assert.True(result.IsError);
        Assert.Contains("'text' is missing", Assert.IsType<TextContentBlock>(result.Content[0]).Text, StringComparison.Ordinal);
    }

    private static async Task<string[]> AddNoteAsync(McpClient client, string text)
    {
        var result = await client.CallToolAsync("notes_add", new Dictionary<string, object?> { ["text"] = text });
        return [.. JsonNode.Parse(result.StructuredContent!.Value.GetRawText())!["notes"]!.AsArray().Select(note => (string)note!)];
    }
}

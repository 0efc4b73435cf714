namespace McpHa.Tests;

/// <summary>Requirements of every client on the server.</summary>
public sealed class ServerTests(ServerFixture server) : IClassFixture<ServerFixture>
{
    [Fact]
    public async Task A_client_opens_a_session_and_gets_an_answer()
    {
        await using var client = await server.ConnectAsync();

        Assert.NotEmpty(client.SessionId!);
        await client.PingAsync();
    }

    [Fact]
    public async Task Every_tool_has_a_description()
    {
        await using var client = await server.ConnectAsync();

        var tools = client.ServerCapabilities.Tools is null ? [] : await client.ListToolsAsync();

        Assert.All(tools, tool => Assert.False(string.IsNullOrWhiteSpace(tool.Description), $"{tool.Name} has no [Description]."));
    }
}

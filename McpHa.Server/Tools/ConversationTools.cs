using System.ComponentModel;
using Mcp.HighAvailability;
using ModelContextProtocol;
using ModelContextProtocol.Protocol;
using ModelContextProtocol.Server;

namespace McpHa.Server.Tools;

/// <summary>Tools that ask the client back while they run. An answer reaches the call even if the replica that asked is gone.</summary>
[McpServerToolType]
[Rerun(true)]
public static class ConversationTools
{
    [McpServerTool(Name = "ask_name", Title = "Ask for a name", OpenWorld = false)]
    [Description("Asks the user for a name and says hello.")]
    public static async Task<string> AskName(
        McpServer server,
        CancellationToken cancellationToken,
        [Description("What the name is for, as part of the question. Left out: not said.")] string? purpose = null)
    {
        var answer = await OrExplainAsync("elicitation", () => server.ElicitAsync(new ElicitRequestParams
        {
            Message = purpose is null ? "What is your name?" : $"What is your name for {purpose}?",
            RequestedSchema = new()
            {
                Properties = { ["name"] = new ElicitRequestParams.StringSchema { Title = "Name", MinLength = 1 } },
                Required = ["name"],
            },
        }, cancellationToken));

        if (!answer.IsAccepted)
            return "Hello, stranger!";
        if (answer.Content is null || !answer.Content.TryGetValue("name", out var name))
            throw new McpException("The client accepted the question but sent no 'name'.");
        return $"Hello, {name}!";
    }

    [McpServerTool(Name = "summarize", Title = "Summarize", ReadOnly = true)]
    [Description("Lets the client's model summarize a text.")]
    public static async Task<string> Summarize(
        McpServer server,
        CancellationToken cancellationToken,
        [Description("The text to summarize.")] string text)
    {
        Require.Text(text, nameof(text));
        var answer = await OrExplainAsync("sampling", () => server.SampleAsync(new CreateMessageRequestParams
        {
            Messages = [new() { Role = Role.User, Content = [new TextContentBlock { Text = $"Summarize in one sentence:\n\n{text}" }] }],
            MaxTokens = 200,
        }, cancellationToken));
        return string.Concat(answer.Content.OfType<TextContentBlock>().Select(block => block.Text));
    }

    // The SDK says "not supported" by InvalidOperationException, whose text would not reach the caller.
    private static async ValueTask<T> OrExplainAsync<T>(string feature, Func<ValueTask<T>> ask)
    {
        try
        {
            return await ask();
        }
        catch (InvalidOperationException e)
        {
            throw new McpException($"This tool needs a client that supports {feature}: {e.Message}", e);
        }
    }
}

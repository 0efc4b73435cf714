using System.ComponentModel;
using System.Text.Json;
using Mcp.HighAvailability;
using ModelContextProtocol;
using ModelContextProtocol.Protocol;
using ModelContextProtocol.Server;

namespace McpHa.Conformance.Tools;

/// <summary>Tools that speak with the client while they run.</summary>
[McpServerToolType]
[Rerun(true)]
public static class SessionTools
{
    private static readonly TimeSpan Step = TimeSpan.FromMilliseconds(50);

    [McpServerTool(Name = "test_tool_with_logging"), Description("Logs three times.")]
    public static async Task<string> Log(McpServer server, CancellationToken cancellationToken)
    {
        await LogAsync("Tool execution started");
        await Task.Delay(Step, cancellationToken);
        await LogAsync("Tool processing data");
        await Task.Delay(Step, cancellationToken);
        await LogAsync("Tool execution completed");
        return "Logged three messages.";

        Task LogAsync(string text) => server.SendNotificationAsync(
            NotificationMethods.LoggingMessageNotification,
            new LoggingMessageNotificationParams { Level = LoggingLevel.Info, Logger = "conformance", Data = JsonSerializer.SerializeToElement(text) },
            cancellationToken: cancellationToken);
    }

    [McpServerTool(Name = "test_tool_with_progress"), Description("Reports its progress three times.")]
    public static async Task<string> Progress(IProgress<ProgressNotificationValue> progress, CancellationToken cancellationToken)
    {
        progress.Report(new() { Progress = 0, Total = 100 });
        await Task.Delay(Step, cancellationToken);
        progress.Report(new() { Progress = 50, Total = 100 });
        await Task.Delay(Step, cancellationToken);
        progress.Report(new() { Progress = 100, Total = 100 });
        return "Reported three times.";
    }

    [McpServerTool(Name = "test_sampling"), Description("Asks the client's model.")]
    public static async Task<string> Sample(McpServer server, [Description("The prompt for the model.")] string prompt, CancellationToken cancellationToken)
    {
        var answer = await server.SampleAsync(new CreateMessageRequestParams
        {
            Messages = [new() { Role = Role.User, Content = [new TextContentBlock { Text = prompt }] }],
            MaxTokens = 100,
        }, cancellationToken);
        return $"LLM response: {string.Concat(answer.Content.OfType<TextContentBlock>().Select(block => block.Text))}";
    }

    /// <summary>Ends its response in the middle: the client comes back for the rest.</summary>
    [McpServerTool(Name = "test_reconnection"), Description("Ends its stream while it runs, and answers on the next one.")]
    public static async Task<string> Reconnect(RequestContext<CallToolRequestParams> request, CancellationToken cancellationToken)
    {
        await request.EnablePollingAsync(TimeSpan.FromMilliseconds(500), cancellationToken);
        await Task.Delay(2 * Step, cancellationToken);
        return "Reconnection test completed successfully. You should have received this after reconnecting.";
    }
}

using System.ComponentModel;
using Mcp.HighAvailability;
using ModelContextProtocol;
using ModelContextProtocol.Protocol;
using ModelContextProtocol.Server;

namespace McpHa.Conformance.Tools;

/// <summary>Tools that the suite's scenarios of tasks want.</summary>
[McpServerToolType]
public static class TaskTools
{
    [McpServerTool(Name = "greet", ReadOnly = true), Description("Greets at once.")]
    public static string Greet(string name) => $"Hello, {name}!";

    [McpServerTool(Name = "slow_compute", ReadOnly = true), RunAsTask, Description("Computes for some seconds.")]
    public static async Task<string> SlowCompute(int seconds, string? label = null, CancellationToken cancellationToken = default)
    {
        await Task.Delay(TimeSpan.FromSeconds(seconds), cancellationToken);
        return $"Computed {label} for {seconds} s.";
    }

    [McpServerTool(Name = "failing_job", ReadOnly = true), RunAsTask(TaskMode.Required), Description("Fails with an error of the tool.")]
    public static CallToolResult FailingJob() => new() { IsError = true, Content = [new TextContentBlock { Text = "The job has failed." }] };

    [McpServerTool(Name = "protocol_error_job", ReadOnly = true), RunAsTask, Description("Fails with an error of the protocol.")]
    public static string ProtocolErrorJob() => throw new McpProtocolException("The job is broken.", McpErrorCode.InternalError);

    [McpServerTool(Name = "confirm_delete"), Rerun, RunAsTask, Description("Asks before it deletes.")]
    public static async Task<string> ConfirmDelete(McpServer server, string filename, CancellationToken cancellationToken) =>
        await IsConfirmedAsync(server, $"Delete {filename}?", cancellationToken) ? $"Deleted {filename}." : $"Kept {filename}.";

    [McpServerTool(Name = "multi_input"), Rerun, RunAsTask, Description("Asks two things at once.")]
    public static async Task<string> MultiInput(McpServer server, CancellationToken cancellationToken)
    {
        var answers = await Task.WhenAll(IsConfirmedAsync(server, "The first?", cancellationToken), IsConfirmedAsync(server, "The second?", cancellationToken));
        return $"{answers.Count(yes => yes)} of 2 confirmed.";
    }

    [McpServerTool(Name = "test_tool_with_task", ReadOnly = true), RunAsTask(TaskMode.AfterDelay), Description("Asks for a name, then greets slowly.")]
    public static async Task<string> ToolWithTask(RequestContext<CallToolRequestParams> context, CancellationToken cancellationToken)
    {
        if (context.Params?.InputResponses?.TryGetValue("user_name", out var response) != true)
        {
            throw new InputRequiredException(new Dictionary<string, InputRequest>
            {
                ["user_name"] = InputRequest.ForElicitation(new() { Message = "What is your name?", RequestedSchema = new() { Properties = { ["name"] = new ElicitRequestParams.StringSchema() } } }),
            });
        }

        await Task.Delay(TimeSpan.FromSeconds(2), cancellationToken);
        return $"Hello, {response!.Deserialize(InputResponse.ElicitResultJsonTypeInfo)?.Content?["name"]}!";
    }

    private static async Task<bool> IsConfirmedAsync(McpServer server, string question, CancellationToken cancellationToken)
    {
        var answer = await server.ElicitAsync(
            new() { Message = question, RequestedSchema = new() { Properties = { ["confirm"] = new ElicitRequestParams.BooleanSchema() } } }, cancellationToken);
        return answer.IsAccepted;
    }
}

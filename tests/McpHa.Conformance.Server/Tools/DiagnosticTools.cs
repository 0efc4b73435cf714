using System.ComponentModel;
using Mcp.HighAvailability;
using ModelContextProtocol;
using ModelContextProtocol.Protocol;
using ModelContextProtocol.Server;

namespace McpHa.Conformance.Tools;

/// <summary>Tools that make rules of revision 2026-07-28 visible.</summary>
[McpServerToolType]
[Rerun(true)]
public static class DiagnosticTools
{
    [McpServerTool(Name = "test_missing_capability"), Description("Works only for clients that declare sampling.")]
    public static string NeedsSampling(McpServer server) => server.ClientCapabilities?.Sampling is not null
        ? "The client can sample."
        : throw new MissingRequiredClientCapabilityException(new ClientCapabilities { Sampling = new() }, "This tool needs a client that declares sampling.");

    [McpServerTool(Name = "test_streaming_elicitation"), Description("Asks by way of its result, never by a request.")]
    public static string StreamingElicitation(RequestContext<CallToolRequestParams> request) =>
        Questions.Answer(request.Params, "user_name", "name") is { } name
            ? $"Hello, {name}!"
            : throw new InputRequiredException(new Dictionary<string, InputRequest> { ["user_name"] = Questions.Text("What is your name?", "name") });

    [McpServerTool(Name = "test_logging_tool"), Description("Logs, which only clients hear that asked for it.")]
    public static string Log(McpServer server)
    {
        using var provider = server.AsClientLoggerProvider();
        provider.CreateLogger("conformance").LogInformation("The tool runs.");
        return "Logged.";
    }

    [McpServerTool(Name = "test_end_server"), Description("Ends the process of the server as a crash does, at once or after a while.")]
    public static async Task<string> EndServer(int milliseconds, CancellationToken cancellationToken)
    {
        await Task.Delay(milliseconds, cancellationToken);
        System.Diagnostics.Process.GetCurrentProcess().Kill();
        return "never";
    }

    [McpServerTool(Name = "test_trigger_tool_change"), Description("Says that the list of tools has changed.")]
    public static async Task<string> ToolChange(IClusterNotifier notifier, CancellationToken cancellationToken)
    {
        await notifier.ToolsChangedAsync(cancellationToken);
        return "Said so.";
    }

    [McpServerTool(Name = "test_trigger_prompt_change"), Description("Says that the list of prompts has changed.")]
    public static async Task<string> PromptChange(IClusterNotifier notifier, CancellationToken cancellationToken)
    {
        await notifier.PromptsChangedAsync(cancellationToken);
        return "Said so.";
    }
}

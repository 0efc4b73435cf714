using System.Text.Json.Nodes;
using ModelContextProtocol.Protocol;
using ModelContextProtocol.Server;

namespace Mcp.HighAvailability.Sessions;

/// <summary>Decides whether a request whose replica was lost may be run again.</summary>
internal static class RerunPolicy
{
    /// <summary>Whether it may: methods that only read or only set what they are told, and tools that say so.</summary>
    public static bool Allows(JsonRpcRequest request, McpServerOptions options) => request.Method switch
    {
        RequestMethods.ToolsCall => AllowsTool(request, options),
        RequestMethods.Initialize => true, // a call only in a session that is there before it; it says what the client is
        _ => IsHarmless(request.Method),
    };

    /// <summary>Methods that only read, or only set what they are told.</summary>
    public static bool IsHarmless(string method) => method is RequestMethods.ToolsList or RequestMethods.PromptsList or RequestMethods.PromptsGet
        or RequestMethods.ResourcesList or RequestMethods.ResourcesRead or RequestMethods.ResourcesTemplatesList or RequestMethods.ResourcesSubscribe
        or RequestMethods.ResourcesUnsubscribe or RequestMethods.CompletionComplete or RequestMethods.LoggingSetLevel or RequestMethods.Ping
        or RequestMethods.ServerDiscover or "tasks/get" or "tasks/update" or "tasks/cancel";

    /// <summary>The tools that may, for those who decide without having them: names, one per line.</summary>
    public static string Publish(McpServerOptions options) =>
        string.Join('\n', (options.ToolCollection ?? []).Where(Allows).Select(tool => tool.ProtocolTool.Name)
            .Where(name => !name.Contains('\n', StringComparison.Ordinal)));

    /// <summary>Whether a tool is among those that were <see cref="Publish">published</see>.</summary>
    public static bool IsPublished(ReadOnlySpan<char> published, ReadOnlySpan<char> tool)
    {
        foreach (var range in published.Split('\n'))
        {
            if (!tool.IsEmpty && published[range].SequenceEqual(tool))
                return true;
        }

        return false;
    }

    /// <summary>Whether a tool may: <see cref="RerunAttribute"/> first, then the hints of its annotations; silence means no.</summary>
    public static bool Allows(McpServerTool tool)
    {
        for (var i = tool.Metadata.Count - 1; i >= 0; i--)
        {
            if (tool.Metadata[i] is RerunAttribute rerun)
                return rerun.Allowed;
        }

        return tool.ProtocolTool.Annotations is { } hints && (hints.ReadOnlyHint == true || hints.IdempotentHint == true);
    }

    private static bool AllowsTool(JsonRpcRequest request, McpServerOptions options) =>
        request.Params is JsonObject parameters &&
        parameters["name"] is JsonValue name && name.TryGetValue(out string? toolName) &&
        options.ToolCollection is { } tools && tools.TryGetPrimitive(toolName, out var tool) &&
        Allows(tool);
}

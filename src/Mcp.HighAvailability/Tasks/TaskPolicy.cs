using Microsoft.Extensions.Options;
using ModelContextProtocol.Server;

namespace Mcp.HighAvailability.Tasks;

/// <summary>Decides which calls become tasks.</summary>
internal sealed class TaskPolicy(IOptions<TaskOptions> options)
{
    private readonly TaskOptions _options = options.Value;

    /// <summary>The mode of a tool: the settings for the tool, its attribute, the settings for all.</summary>
    public TaskMode Of(McpServerTool tool)
    {
        if (_options.Tools.TryGetValue(tool.ProtocolTool.Name, out var mode))
            return mode;
        for (var i = tool.Metadata.Count - 1; i >= 0; i--)
        {
            if (tool.Metadata[i] is RunAsTaskAttribute attribute)
                return attribute.Mode;
        }

        return _options.Mode;
    }

    /// <summary>Whether a server offers tasks at all.</summary>
    public bool IsUsed(McpServerOptions server) => _options.Mode != TaskMode.Never || server.ToolCollection?.Any(tool => Of(tool) != TaskMode.Never) == true;
}

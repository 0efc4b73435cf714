using ModelContextProtocol.Server;

namespace Mcp.HighAvailability.Lab.Chaos.Mutations;

/// <summary>Marks a tool as rerunnable, although it may have effects.</summary>
internal sealed class RerunAnyway(McpServerTool inner) : DelegatingMcpServerTool(inner)
{
    public override IReadOnlyList<object> Metadata => [.. base.Metadata, new RerunAttribute(true)];

    /// <summary>Wraps all tools of a server.</summary>
    public static void Wrap(McpServerOptions options)
    {
        if (options.ToolCollection is not { } tools)
            return;
        foreach (var tool in tools.ToList())
        {
            tools.Remove(tool);
            tools.Add(new RerunAnyway(tool));
        }
    }
}

using Mcp.HighAvailability;
using ModelContextProtocol.Server;

/// <summary>Sessions that are opened at <c>/…/math</c> have the tools of mathematics, and no others.</summary>
public static class TenantTools
{
    public static Task ConfigureAsync(McpSessionContext session, McpServerOptions options, CancellationToken cancellationToken)
    {
        if (session.RouteValues.TryGetValue("category", out var category) && category == "math")
        {
            options.ToolCollection!.Clear();
            options.ToolCollection.Add(McpServerTool.Create((int a, int b) => a + b, new() { Name = "add", ReadOnly = true }));
        }

        return Task.CompletedTask;
    }
}

using ModelContextProtocol.Server;

namespace Mcp.HighAvailability.Sessions;

/// <summary>Callbacks of the application for the start of a session's server.</summary>
internal sealed class SessionHookOptions
{
    public List<Func<McpSessionContext, McpServerOptions, CancellationToken, Task>> Configure { get; } = [];

    public Func<McpSessionContext, McpServer, CancellationToken, Task>? Run { get; set; }
}

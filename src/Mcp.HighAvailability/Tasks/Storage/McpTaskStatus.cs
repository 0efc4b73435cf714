namespace Mcp.HighAvailability.Tasks;

/// <summary>Where a task is in its life, as the extension <c>io.modelcontextprotocol/tasks</c> defines it.</summary>
public enum McpTaskStatus
{
    /// <summary>A replica works on it, or is about to.</summary>
    Working,

    /// <summary>The task waits for answers of the client.</summary>
    InputRequired,

    /// <summary>The tool has answered, with a result or with an error of its own. Terminal.</summary>
    Completed,

    /// <summary>The task ended with a JSON-RPC error. Terminal.</summary>
    Failed,

    /// <summary>The client cancelled it. Terminal.</summary>
    Cancelled,
}

/// <summary>The status in the words of the protocol.</summary>
internal static class TaskStatusNames
{
    private static readonly string[] Names = ["working", "input_required", "completed", "failed", "cancelled"];

    public static string Name(this McpTaskStatus status) => Names[(int)status];

    public static bool IsTerminal(this McpTaskStatus status) => status >= McpTaskStatus.Completed;

    public static bool TryParse(string? name, out McpTaskStatus status)
    {
        var at = Array.IndexOf(Names, name);
        status = (McpTaskStatus)Math.Max(at, 0);
        return at >= 0;
    }
}

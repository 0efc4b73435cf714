using System.Text.Json.Nodes;
using Mcp.HighAvailability.Protocol;
using ModelContextProtocol;
using ModelContextProtocol.Protocol;

namespace Mcp.HighAvailability.Tasks;

/// <summary>Errors that a task ends with when its tool did not.</summary>
internal static class TaskErrors
{
    public static JsonRpcErrorDetail MayHaveRun(string tool) => new()
    {
        Code = JsonRpc.MayHaveRun,
        Message = $"The server that worked on this task was lost. The task may have run, wholly or in part, and was not run again because '{tool}' is not " +
            "marked as safe to repeat. Check its effect before you repeat it.",
        Data = new JsonObject { ["reason"] = "replica-lost", ["mayHaveRun"] = true },
    };

    public static JsonRpcErrorDetail LostTooOften(string tool, int losses) => new()
    {
        Code = JsonRpc.MayHaveRun,
        Message = $"The server was lost {losses} times while it ran '{tool}'. The task may have run, wholly or in part, and is not run again. Find out in " +
            "the servers' logs why they ended.",
        Data = new JsonObject { ["reason"] = "replicas-lost", ["losses"] = losses, ["mayHaveRun"] = true },
    };

    public static JsonRpcErrorDetail TooLong(TimeSpan limit) => new()
    {
        Code = (int)McpErrorCode.InternalError,
        Message = $"The task ran longer than {limit}, the limit of the server.",
    };

    public static JsonRpcErrorDetail Unreadable() => new()
    {
        Code = (int)McpErrorCode.InternalError,
        Message = "The call of this task cannot be read from the store, so the task was not run again.",
    };

    public static JsonRpcErrorDetail Internal() => new()
    {
        Code = (int)McpErrorCode.InternalError,
        Message = "An error occurred. The server's log has the reason.",
    };
}

using System.Text.Json.Nodes;
using Mcp.HighAvailability.Protocol;
using ModelContextProtocol;
using ModelContextProtocol.Protocol;

namespace Mcp.HighAvailability.Tasks;

/// <summary>Names of the extension, and what a client must say to use it.</summary>
internal static class TaskProtocol
{
    public const string Extension = "io.modelcontextprotocol/tasks";
    public const string Get = "tasks/get";
    public const string Update = "tasks/update";
    public const string Cancel = "tasks/cancel";
    public const string Notification = "notifications/tasks";

    /// <summary>The parameter that names the task; the header <c>Mcp-Name</c> repeats it.</summary>
    public const string TaskId = "taskId";

    private const string Capabilities = "io.modelcontextprotocol/clientCapabilities";

    /// <summary>Whether a request is of a revision that has tasks.</summary>
    public static bool IsKnown(JsonRpcRequest request) => request.Context?.ProtocolVersion == McpHeaders.Stateless;

    /// <summary>Whether the client of a request supports tasks. It says so with each request.</summary>
    public static bool IsOffered(JsonRpcRequest request) =>
        IsKnown(request) &&
        (request.Params as JsonObject)?["_meta"] is JsonObject meta && meta[Capabilities] is JsonObject capabilities &&
        capabilities["extensions"] is JsonObject extensions && extensions.ContainsKey(Extension);

    /// <summary>The error -32021 for a client that does not support tasks.</summary>
    public static MissingRequiredClientCapabilityException Missing() => new(
        new ClientCapabilities { Extensions = new Dictionary<string, object> { [Extension] = new JsonObject() } },
        $"This request needs a client that supports tasks. Declare the extension '{Extension}' in '_meta.{Capabilities}.extensions'.");
}

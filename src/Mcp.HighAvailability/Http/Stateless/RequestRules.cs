using System.Text.Json.Nodes;
using Mcp.HighAvailability.Protocol;
using ModelContextProtocol.Protocol;
using ModelContextProtocol.Server;

namespace Mcp.HighAvailability.Http;

/// <summary>Rules of revision 2026-07-28 that the SDK's transport lacks. It checks the headers, the <c>_meta</c> and the methods itself.</summary>
internal static class RequestRules
{
    private const string VersionMember = "io.modelcontextprotocol/protocolVersion";

    /// <summary>The revision that the body names; empty when it names none.</summary>
    public static string VersionOf(JsonRpcMessage message) =>
        Params(message)?["_meta"] is JsonObject meta && JsonRpc.TextParam(meta, VersionMember) is { } version ? version : "";

    /// <summary>Returns the error in the headers of a message whose body names this revision; <see langword="null"/>: none.</summary>
    /// <remarks>
    /// The SDK (2.4.0) compares the two only when the header names this revision. It serves other messages as those of an older revision, without header rules.
    /// </remarks>
    public static string? FindMissingVersion(JsonRpcMessage message, string header) =>
        header != McpHeaders.Stateless && VersionOf(message) == McpHeaders.Stateless
            ? $"The body names revision {McpHeaders.Stateless}: send the header '{McpHeaders.ProtocolVersion}: {McpHeaders.Stateless}' too."
            : null;

    /// <summary>Returns the error in the member that <c>Mcp-Name</c> repeats for a handler of the server's own; <see langword="null"/>: none.</summary>
    /// <remarks>The SDK (2.4.0) throws when this member is not text, and the client would get a 500 without a reason.</remarks>
    public static string? FindWrongName(JsonRpcMessage message, McpServerOptions server)
    {
        var method = (message as JsonRpcRequest)?.Method ?? (message as JsonRpcNotification)?.Method;
        return server.RequestHandlers?.FirstOrDefault(handler => handler.Method == method)?.RoutingNameParameter is { } member &&
            Params(message) is { } parameters && parameters[member] is not null && JsonRpc.TextParam(parameters, member) is null
            ? $"'params.{member}' must be a string."
            : null;
    }

    /// <summary>Whether this revision has the message's method. The SDK answers the methods of sessions with 404, whatever their parameters are.</summary>
    public static bool IsServed(JsonRpcMessage message) => message is not JsonRpcRequest
    {
        Method: RequestMethods.Initialize or RequestMethods.Ping or RequestMethods.LoggingSetLevel
            or RequestMethods.ResourcesSubscribe or RequestMethods.ResourcesUnsubscribe,
    };

    private static JsonObject? Params(JsonRpcMessage message) =>
        ((message as JsonRpcRequest)?.Params ?? (message as JsonRpcNotification)?.Params) as JsonObject;
}

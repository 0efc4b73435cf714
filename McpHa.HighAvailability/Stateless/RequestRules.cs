using System.Text.Json.Nodes;
using McpHa.HighAvailability.Http;
using McpHa.HighAvailability.Sessions;
using Microsoft.AspNetCore.Http;
using ModelContextProtocol;
using ModelContextProtocol.Protocol;
using ModelContextProtocol.Server;

namespace McpHa.HighAvailability.Stateless;

/// <summary>What revision 2026-07-28 demands of a message before the server sees it: headers that agree with the body, and its <c>_meta</c>.</summary>
/// <remarks>Whoever is in front may route by headers alone, so a message whose headers lie must never run.</remarks>
internal static class RequestRules
{
    private const string VersionMember = "io.modelcontextprotocol/protocolVersion";
    private const string CapabilitiesMember = "io.modelcontextprotocol/clientCapabilities";

    /// <summary>The revision that the body names; empty when it names none.</summary>
    public static string VersionOf(JsonRpcMessage message) =>
        Meta(message) is { } meta && JsonRpc.TextParam(meta, VersionMember) is { } version ? version : "";

    /// <summary>Whether header and body name the same revision, as far as one of them names this one.</summary>
    public static Refusal? CheckVersion(JsonRpcMessage message, string header)
    {
        var body = VersionOf(message);
        if (header != McpHeaders.Stateless && body != McpHeaders.Stateless || message is not (JsonRpcRequest or JsonRpcNotification))
            return null;
        if (header.Length == 0)
            return Refusal.HeaderMismatch($"The body names revision {body}: send the header '{McpHeaders.ProtocolVersion}: {body}' too.");
        if (body.Length == 0)
        {
            // A notification has nobody who could be told, and a cancellation must not get lost.
            return message is JsonRpcNotification ? null : Refusal.InvalidParams($"Requests of revision {McpHeaders.Stateless} must carry '_meta/{VersionMember}'.");
        }

        return header == body ? null : Refusal.HeaderMismatch($"The header '{McpHeaders.ProtocolVersion}' says '{header}', '_meta/{VersionMember}' says '{Shorten(body)}': send the same in both.");
    }

    /// <summary>Everything else that a message of this revision must fulfil.</summary>
    public static Refusal? Check(JsonRpcMessage message, IHeaderDictionary headers, McpServerOptions server)
    {
        var (method, parameters) = message switch
        {
            JsonRpcRequest request => (request.Method, request.Params),
            JsonRpcNotification notification => (notification.Method, notification.Params),
            _ => ("", null),
        };
        if (method.Length == 0)
            return null;

        return CheckMethod(headers, method)
            ?? CheckName(headers, method, parameters, server)
            ?? (method == RequestMethods.ToolsCall ? ParameterHeaders.Check(headers, parameters, server) : null)
            ?? (message is JsonRpcRequest ? CheckCapabilities(message) ?? CheckServed(method, message) : null);
    }

    private static Refusal? CheckMethod(IHeaderDictionary headers, string method)
    {
        if (!headers.TryGetValue(McpHeaders.Method, out var values))
            return Refusal.HeaderMismatch($"The header '{McpHeaders.Method}' is missing: send '{McpHeaders.Method}: {Shorten(method)}'.");
        var header = values.ToString().Trim();
        return header == method ? null : Refusal.HeaderMismatch($"The header '{McpHeaders.Method}' says '{Shorten(header)}', the body '{Shorten(method)}': send the same in both.");
    }

    private static Refusal? CheckName(IHeaderDictionary headers, string method, JsonNode? parameters, McpServerOptions server)
    {
        if (NameMember(method, server) is not { } member)
            return null;
        if (!headers.TryGetValue(McpHeaders.Name, out var values))
            return Refusal.HeaderMismatch($"The header '{McpHeaders.Name}' is missing: send what the body has in 'params.{member}'.");
        var header = HeaderText.Decode(values.ToString().Trim());
        if (header is null)
            return Refusal.HeaderMismatch($"The header '{McpHeaders.Name}' has characters or a Base64 form that cannot be read: send other than visible ASCII as =?base64?…?=.");
        return header == JsonRpc.TextParam(parameters, member)
            ? null
            : Refusal.HeaderMismatch($"The header '{McpHeaders.Name}' says '{Shorten(header)}', which is not 'params.{member}' of the body: send the same in both.");
    }

    /// <summary>The member of <c>params</c> that a method's requests repeat in <c>Mcp-Name</c>; <see langword="null"/> when they do not.</summary>
    public static string? NameMember(string method, McpServerOptions server) => method switch
    {
        RequestMethods.ToolsCall or RequestMethods.PromptsGet => "name",
        RequestMethods.ResourcesRead => "uri",
        _ => server.RequestHandlers?.FirstOrDefault(handler => handler.Method == method)?.RoutingNameParameter,
    };

    private static Refusal? CheckCapabilities(JsonRpcMessage message) => Meta(message)?[CapabilitiesMember] is JsonObject
        ? null
        : Refusal.InvalidParams($"Requests of revision {McpHeaders.Stateless} must carry '_meta/{CapabilitiesMember}' as an object.");

    /// <summary>Whether this revision has the message's method; what belongs to sessions is unknown to it.</summary>
    public static bool IsServed(JsonRpcMessage message) => message is not JsonRpcRequest
    {
        Method: RequestMethods.Initialize or RequestMethods.Ping or RequestMethods.LoggingSetLevel or RequestMethods.ResourcesSubscribe or RequestMethods.ResourcesUnsubscribe,
    };

    private static Refusal? CheckServed(string method, JsonRpcMessage message) =>
        !IsServed(message)
            ? new(StatusCodes.Status404NotFound, McpErrorCode.MethodNotFound, $"Revision {McpHeaders.Stateless} has no method '{method}'.")
            : null;

    private static JsonObject? Meta(JsonRpcMessage message) =>
        (message as JsonRpcRequest)?.Params is JsonObject request ? request["_meta"] as JsonObject
        : (message as JsonRpcNotification)?.Params is JsonObject notification ? notification["_meta"] as JsonObject
        : null;

    private static string Shorten(string value) => value.Length <= 64 ? value : value[..64] + "…";
}

using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization.Metadata;
using ModelContextProtocol;
using ModelContextProtocol.Protocol;

namespace Mcp.HighAvailability.Protocol;

/// <summary>The SDK's own JSON form of messages, and the error codes that are ours.</summary>
/// <remarks>Names are case-sensitive, as to the SDK: what a check reads is what the handler gets.</remarks>
internal static class JsonRpc
{
    /// <summary>The call's replica was lost and the call must not be run twice.</summary>
    public const int MayHaveRun = -32010;

    /// <summary>The server cannot serve the session at this moment.</summary>
    public const int Unavailable = -32012;

    /// <summary>The history that the client asks for is no longer kept.</summary>
    public const int HistoryTrimmed = -32013;

    /// <summary>The answer is larger than a relay passes on.</summary>
    public const int AnswerTooLarge = -32014;

    /// <summary>The session is unknown or has ended (the code that the SDKs use).</summary>
    public const int SessionNotFound = -32001;

    /// <summary>The HTTP form of the request is wrong (the code that the SDKs use).</summary>
    public const int BadRequest = -32000;

    // Names are case-sensitive, as the protocol's are. Text is written as UTF-8.
    private static readonly JsonSerializerOptions Options = new(McpJsonUtilities.ProtocolOptions) { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private static readonly JsonTypeInfo<JsonRpcMessage> MessageInfo = TypeInfo<JsonRpcMessage>();

    /// <summary>How one of the protocol's types is written and read.</summary>
    public static JsonTypeInfo<T> TypeInfo<T>() => (JsonTypeInfo<T>)Options.GetTypeInfo(typeof(T));

    public static byte[] Serialize(JsonRpcMessage message) => JsonEscapes.Remove(JsonSerializer.SerializeToUtf8Bytes(message, MessageInfo));

    /// <summary>Reads a message; throws <see cref="JsonException"/> for anything that is none.</summary>
    public static JsonRpcMessage Parse(ReadOnlySpan<byte> json) =>
        JsonSerializer.Deserialize(json, MessageInfo) ?? throw new JsonException("null is not a JSON-RPC message.");

    public static JsonRpcError Error(RequestId id, int code, string message, JsonNode? data = null) => new()
    {
        Id = id,
        Error = new JsonRpcErrorDetail { Code = code, Message = message, Data = data },
    };

    /// <summary>The id of the request that a notification cancels; the default if it names none.</summary>
    public static RequestId CancelledId(JsonRpcNotification notification) =>
        notification.Params is JsonObject o && o["requestId"] is JsonValue value
            ? value.TryGetValue(out long number) ? new(number) : value.TryGetValue(out string? text) ? new(text) : default
            : default;

    /// <summary>A member of <c>params</c> as text; <see langword="null"/> if there is none.</summary>
    public static string? TextParam(JsonNode? parameters, string name) =>
        parameters is JsonObject o && o[name] is JsonValue value && value.TryGetValue(out string? text) ? text : null;
}

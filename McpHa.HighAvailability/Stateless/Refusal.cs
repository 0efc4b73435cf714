using System.Text.Json.Nodes;
using ModelContextProtocol;

namespace McpHa.HighAvailability.Stateless;

/// <summary>Why a request is not served, as the client is told.</summary>
/// <param name="Status">HTTP status.</param>
/// <param name="Code">JSON-RPC error code.</param>
/// <param name="Message">What is wrong, and the cure.</param>
internal sealed record Refusal(int Status, McpErrorCode Code, string Message)
{
    /// <summary>Further members of the error.</summary>
    public JsonObject? Data { get; init; }

    public static Refusal HeaderMismatch(string message) => new(400, McpErrorCode.HeaderMismatch, message);

    public static Refusal InvalidParams(string message) => new(400, McpErrorCode.InvalidParams, message);
}

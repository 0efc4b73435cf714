using System.Text.Json.Nodes;

namespace Mcp.HighAvailability.Lab.Chaos.History;

/// <summary>How a call ended.</summary>
internal enum OutcomeKind
{
    /// <summary>With a result.</summary>
    Result,

    /// <summary>With a result that says that the tool failed (<c>isError</c>).</summary>
    ToolError,

    /// <summary>With a JSON-RPC error.</summary>
    RpcError,

    /// <summary>With an error of the connection: whether the call ran is unknown.</summary>
    TransportError,

    /// <summary>Not within its time-out.</summary>
    TimedOut,

    /// <summary>The client gave the call up.</summary>
    Cancelled,
}

/// <summary>The end of a call as its caller sees it.</summary>
/// <param name="Kind">How it ended.</param>
/// <param name="Text">Text of the result, or the message of the error.</param>
/// <param name="Structured">Structured content of the result.</param>
/// <param name="Code">JSON-RPC error code, or HTTP status of a <see cref="OutcomeKind.TransportError"/>.</param>
internal sealed record CallOutcome(OutcomeKind Kind, string? Text = null, JsonNode? Structured = null, int? Code = null)
{
    /// <summary>JSON-RPC error code for a call that may have run and must not be run again.</summary>
    public const int MayHaveRun = -32010;

    /// <summary>Whether the server has said that the call is done.</summary>
    public bool IsAcknowledged => Kind == OutcomeKind.Result;

    public override string ToString() => Kind switch
    {
        OutcomeKind.Result => $"\"{Text}\"",
        _ => $"{Kind}{(Code is null ? "" : $" {Code}")}{(Text is null ? "" : $" \"{Text}\"")}",
    };
}

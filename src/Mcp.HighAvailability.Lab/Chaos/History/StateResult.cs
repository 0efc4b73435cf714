using System.Text.Json.Nodes;

namespace Mcp.HighAvailability.Lab.Chaos.History;

/// <summary>Reads what the sample's tools answer about kept state.</summary>
internal static class StateResult
{
    /// <summary>All notes.</summary>
    public static IReadOnlyList<string>? Notes(CallOutcome outcome) =>
        outcome.Kind == OutcomeKind.Result && outcome.Structured?["notes"] is JsonArray notes ? [.. notes.Select(note => (string?)note ?? "")] : null;

    /// <summary>The value of a counter.</summary>
    public static long? Count(CallOutcome outcome) => outcome.Kind == OutcomeKind.Result ? (long?)outcome.Structured?["value"] : null;

    /// <summary>The epoch of the owner that answered.</summary>
    public static long? Epoch(CallOutcome outcome) => outcome.Kind == OutcomeKind.Result ? (long?)outcome.Structured?["epoch"] : null;

    /// <summary>Whether the server does not know the handle: Redis has lost it.</summary>
    public static bool IsUnknownHandle(CallOutcome outcome) =>
        outcome.Kind == OutcomeKind.ToolError && outcome.Text?.Contains("state handle", StringComparison.Ordinal) == true;
}

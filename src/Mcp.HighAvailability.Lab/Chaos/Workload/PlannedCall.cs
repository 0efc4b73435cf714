using System.Text.Json.Nodes;
using Mcp.HighAvailability.Lab.Chaos.History;

namespace Mcp.HighAvailability.Lab.Chaos.Workload;

/// <summary>A request that a client is about to send.</summary>
/// <param name="Method">JSON-RPC method.</param>
/// <param name="Name">Name of the tool, or the method again.</param>
/// <param name="Parameters">Parameters; the arguments if it is a tool call.</param>
/// <param name="Expected">What a right answer is.</param>
internal sealed record PlannedCall(string Method, string Name, JsonObject Parameters, Expectation Expected)
{
    private const string ToolsCall = "tools/call";

    /// <summary>When the client gives it up; <see langword="null"/>: never.</summary>
    public TimeSpan? CancelAfter { get; init; }

    /// <summary>How long it may take; <see langword="null"/>: what the fleet allows every call.</summary>
    public TimeSpan? Timeout { get; init; }

    /// <summary>Whether the client goes on with other calls meanwhile.</summary>
    public bool InBackground { get; init; }

    /// <summary>A handle behind which it works.</summary>
    public SharedHandle? Shared { get; init; }

    public static PlannedCall Tool(string tool, JsonObject arguments, Expectation expected) => new(ToolsCall, tool, arguments, expected);

    public static PlannedCall Request(string method, JsonObject parameters, Expectation expected) => new(method, method, parameters, expected);

    /// <summary>Parameters of the JSON-RPC request: a copy, because clients add to them.</summary>
    public JsonObject ToParameters() => Method == ToolsCall
        ? new() { ["name"] = Name, ["arguments"] = Parameters.DeepClone() }
        : Parameters.DeepClone().AsObject();
}

using System.Text.Json.Serialization;

namespace Mcp.HighAvailability.Lab.Bench.Load;

/// <summary>Kinds of measured calls.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<CallKind>))]
internal enum CallKind
{
    /// <summary><c>echo</c>: read-only, no session state, may be rerun.</summary>
    [JsonStringEnumMemberName("read-only")]
    ReadOnly,

    /// <summary><c>count</c>: adds one to a counter of the session, may be rerun.</summary>
    [JsonStringEnumMemberName("state")]
    State,

    /// <summary><c>send</c>: must not run twice.</summary>
    [JsonStringEnumMemberName("effect")]
    Effect,

    /// <summary>Four read-only calls, then one state-changing call.</summary>
    [JsonStringEnumMemberName("mixed")]
    Mixed,
}

/// <summary>Names of kinds as reports write them.</summary>
internal static class CallKinds
{
    public static string Text(this CallKind kind) => kind switch
    {
        CallKind.ReadOnly => "read-only",
        CallKind.State => "state",
        CallKind.Effect => "effect",
        _ => "mixed",
    };
}

/// <summary>One load that a subject is measured with.</summary>
/// <param name="Kind">What the calls do.</param>
/// <param name="Connections">Connections, each with a session of its own and one call at a time.</param>
internal sealed record LoadPlan(CallKind Kind, int Connections);

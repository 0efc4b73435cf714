using Mcp.HighAvailability.Lab.Chaos.History;

namespace Mcp.HighAvailability.Lab.Chaos.Faults;

/// <summary>A fault that was injected.</summary>
/// <param name="Number">Its number.</param>
/// <param name="Kind">What was done.</param>
/// <param name="Form">How.</param>
/// <param name="Text">The same for people.</param>
/// <param name="Targets">Targets: replicas and balancers by their place, or Redis.</param>
/// <param name="Began">When, since the start of the run.</param>
internal sealed record FaultRecord(int Number, FaultKind Kind, FaultForm Form, string Text, IReadOnlyList<string> Targets, TimeSpan Began)
{
    /// <summary>When the cluster had recovered; <see langword="null"/>: it did not.</summary>
    public TimeSpan? Ended { get; set; }
}

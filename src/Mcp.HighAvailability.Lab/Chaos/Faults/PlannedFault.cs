using Mcp.HighAvailability.Lab.Chaos.History;

namespace Mcp.HighAvailability.Lab.Chaos.Faults;

/// <summary>A fault as it was chosen.</summary>
/// <param name="Number">From 1.</param>
/// <param name="Kind">What is done.</param>
/// <param name="Form">How.</param>
/// <param name="Victim">Index of the replica or balancer that it hits, if it hits one.</param>
/// <param name="Aimed">It hits whichever replica has the most sessions then, and the victim only when that cannot be told.</param>
/// <param name="Length">How long it lasts, where that is a matter of choice.</param>
/// <param name="After">Time since the beginning of the fault before, if there is nothing to wait for.</param>
internal sealed record PlannedFault(int Number, FaultKind Kind, FaultForm Form, int Victim, bool Aimed, TimeSpan Length, TimeSpan After)
{
    /// <summary>Whether it has the cluster for itself.</summary>
    public bool IsExclusive =>
        Kind is FaultKind.RedisRestart or FaultKind.RedisWipe or FaultKind.RedisOutage || Form is FaultForm.AllKilled or FaultForm.AllTerminated;

    /// <summary>Whether it hits one replica.</summary>
    public bool HitsReplica => !IsExclusive && Kind != FaultKind.Balancer;
}

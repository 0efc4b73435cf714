namespace Mcp.HighAvailability.Storage;

/// <summary>What went wrong in a replica since it started. Totals; the cluster page shows their growth.</summary>
/// <param name="MayHaveRun">Calls that ended with "may have run".</param>
/// <param name="FencedWrites">Writes that the store refused because another replica owns the session.</param>
/// <param name="UnjournaledEvents">Notifications that were dropped while the store was away.</param>
public sealed record ReplicaFaults(long MayHaveRun, long FencedWrites, long UnjournaledEvents)
{
    internal static ReplicaFaults None { get; } = new(0, 0, 0);
}

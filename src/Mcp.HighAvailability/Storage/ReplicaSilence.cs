namespace Mcp.HighAvailability.Storage;

/// <summary>How long registries keep a replica that says nothing.</summary>
internal static class ReplicaSilence
{
    /// <summary>Long after all peers have given it up, so that a paused replica that comes back finds its entry again.</summary>
    public static readonly TimeSpan RemovedAfter = TimeSpan.FromMinutes(1);
}

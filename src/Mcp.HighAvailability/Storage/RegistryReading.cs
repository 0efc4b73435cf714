using System.Collections.ObjectModel;

namespace Mcp.HighAvailability.Storage;

/// <summary>All replicas that a registry holds at one moment, and which incarnation of the store said so.</summary>
public sealed class RegistryReading(IList<RegisteredReplica> replicas) : ReadOnlyCollection<RegisteredReplica>(replicas)
{
    /// <summary>
    /// Names a time in which the store has lost nothing. Another one begins when its data are gone, when it was restarted, and when another server has
    /// taken its place: what was written last before that may be missing. <see langword="null"/> where nothing can be lost without this process.
    /// </summary>
    public string? Incarnation { get; init; }

    /// <summary>Time since the incarnation was first noticed, by the store's clock.</summary>
    public TimeSpan IncarnationAge { get; init; }
}

using System.Collections.ObjectModel;

namespace Mcp.HighAvailability.Storage;

/// <summary>All replicas that a registry holds at one moment, and which incarnation of the store said so.</summary>
public sealed class RegistryReading(IList<RegisteredReplica> replicas) : ReadOnlyCollection<RegisteredReplica>(replicas)
{
    /// <summary>
    /// Incarnation of the store: a period without data loss. Changes after a restart, a failover or a loss. <see langword="null"/>: the store lives in this
    /// process and loses nothing before it.
    /// </summary>
    public string? Incarnation { get; init; }

    /// <summary>Time since the incarnation was first noticed, by the store's clock.</summary>
    public TimeSpan IncarnationAge { get; init; }
}

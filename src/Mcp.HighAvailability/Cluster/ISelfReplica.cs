using Mcp.HighAvailability.Storage;

namespace Mcp.HighAvailability.Cluster;

/// <summary>Data of this process in each heartbeat. A balancer has none.</summary>
public interface ISelfReplica
{
    /// <summary>This replica's id, fixed for the life of the process.</summary>
    string Id { get; }

    /// <summary>The current self-description; <see langword="null"/> until the server is bound to an address.</summary>
    ReplicaInfo? Describe();
}

using Mcp.HighAvailability.Cluster;

namespace Mcp.HighAvailability.Sessions;

/// <summary>Replica and session of a call, injected into tools.</summary>
internal sealed class ReplicaContext(ISelfReplica self) : IReplicaContext
{
    public string ReplicaId => self.Id;

    public string? SessionId => CallScope.Current?.SessionId;

    public long Epoch => CallScope.Current?.Epoch ?? 0;
}

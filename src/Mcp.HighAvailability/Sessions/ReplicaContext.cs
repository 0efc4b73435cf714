using Mcp.HighAvailability.Cluster;

namespace Mcp.HighAvailability.Sessions;

/// <summary>What tools get injected to know where they run.</summary>
internal sealed class ReplicaContext(ISelfReplica self) : IReplicaContext
{
    public string ReplicaId => self.Id;

    public string? SessionId => CallScope.Current?.SessionId;

    public long Epoch => CallScope.Current?.Epoch ?? 0;
}

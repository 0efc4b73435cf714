using Microsoft.Extensions.Hosting;

namespace McpHa.HighAvailability.Cluster;

/// <summary>Who is alive, where, and who is draining: one view per process, kept by heartbeats through the <see cref="IReplicaRegistry"/>.</summary>
public sealed class ReplicaDirectory : BackgroundService
{
    /// <summary>All replicas that are alive now: heartbeat not overdue, not reported unreachable since. Includes draining ones and this process's own.</summary>
    public IReadOnlyList<ReplicaInfo> Alive => throw new NotImplementedException();

    /// <summary>A replica that is alive, by id.</summary>
    public ReplicaInfo? Find(string replicaId) => throw new NotImplementedException();

    /// <summary>A token that ends as soon as the replica is no longer alive (already ended when it is not now).</summary>
    public CancellationToken LostToken(string replicaId) => throw new NotImplementedException();

    /// <summary>Takes a replica out of <see cref="Alive"/> at once, because a connection to it was refused; its next heartbeat brings it back.</summary>
    public void ReportUnreachable(string replicaId) => throw new NotImplementedException();

    /// <summary>Reads the registry now, so that the view is at most as old as this call.</summary>
    public ValueTask RefreshAsync(CancellationToken cancellationToken = default) => throw new NotImplementedException();

    /// <inheritdoc/>
    protected override Task ExecuteAsync(CancellationToken stoppingToken) => throw new NotImplementedException();
}

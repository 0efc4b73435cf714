using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;

namespace Mcp.HighAvailability.Hosting.Cluster;

/// <summary>Shows in the dashboard how many replicas of a cluster are healthy.</summary>
internal sealed class ClusterStatus(McpClusterResource cluster, ResourceNotificationService notifications) : BackgroundService
{
    private const string Property = "Healthy replicas";

    /// <summary>State that the dashboard shows before the replicas start.</summary>
    public static CustomResourceSnapshot Initial { get; } = new() { ResourceType = "MCP cluster", State = KnownResourceStates.Starting, Properties = [] };

    public static bool IsHealthy(CustomResourceSnapshot replica) =>
        replica.State?.Text == KnownResourceStates.Running && replica.HealthStatus == HealthStatus.Healthy;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var replicas = cluster.Replicas.ToDictionary(replica => replica.Name, _ => false);
        try
        {
            await foreach (var change in notifications.WatchAsync(stoppingToken))
            {
                if (!replicas.ContainsKey(change.Resource.Name))
                    continue;
                replicas[change.Resource.Name] = IsHealthy(change.Snapshot);
                await PublishAsync(replicas.Values.Count(healthy => healthy));
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The application ends.
        }
    }

    // Once it runs it stays so: a cluster without a healthy replica waits for one.
    private Task PublishAsync(int healthy) => notifications.PublishUpdateAsync(cluster, snapshot => snapshot with
    {
        State = healthy > 0 ? KnownResourceStates.Running : snapshot.State,
        StartTimeStamp = snapshot.StartTimeStamp ?? (healthy > 0 ? DateTime.UtcNow : null),
        Properties = [.. snapshot.Properties.Where(property => property.Name != Property), new(Property, healthy)],
    });
}

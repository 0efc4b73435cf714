using System.Collections.Immutable;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Mcp.HighAvailability.Hosting.Cluster;

/// <summary>Shows in the dashboard how many replicas of a cluster are healthy.</summary>
internal static class ClusterStatus
{
    private const string Property = "Healthy replicas";

    public static IResourceBuilder<McpClusterResource> AsClusterInDashboard(this IResourceBuilder<McpClusterResource> cluster) => cluster
        .WithIconName("Server")
        .WithInitialState(new() { ResourceType = "MCP cluster", State = KnownResourceStates.Starting, Properties = [] })
        .OnInitializeResource(async (resource, initialize, cancellationToken) =>
        {
            var replicas = resource.Replicas.ToDictionary(replica => replica.Name, _ => false);
            await foreach (var change in initialize.Notifications.WatchAsync(cancellationToken))
            {
                if (!replicas.ContainsKey(change.Resource.Name))
                    continue;
                replicas[change.Resource.Name] = IsHealthy(change.Snapshot);
                await PublishAsync(initialize.Notifications, resource, replicas.Values.Count(healthy => healthy));
            }
        });

    public static bool IsHealthy(CustomResourceSnapshot replica) =>
        replica.State?.Text == KnownResourceStates.Running && replica.HealthStatus == HealthStatus.Healthy;

    // Once it runs it stays so: a cluster without a healthy replica waits for one.
    private static Task PublishAsync(ResourceNotificationService notifications, McpClusterResource cluster, int healthy) =>
        notifications.PublishUpdateAsync(cluster, snapshot => snapshot with
        {
            State = healthy > 0 ? KnownResourceStates.Running : snapshot.State,
            StartTimeStamp = snapshot.StartTimeStamp ?? (healthy > 0 ? DateTime.UtcNow : null),
            Properties = [.. snapshot.Properties.Where(property => property.Name != Property), new(Property, healthy)],
        });
}

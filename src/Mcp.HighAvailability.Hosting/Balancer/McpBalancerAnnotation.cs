using Aspire.Hosting.ApplicationModel;

namespace Mcp.HighAvailability.Hosting;

/// <summary>Marks a resource as a balancer in front of a cluster, also in a published application.</summary>
/// <param name="cluster">The cluster.</param>
public sealed class McpBalancerAnnotation(McpClusterResource cluster) : IResourceAnnotation
{
    /// <summary>The cluster.</summary>
    public McpClusterResource Cluster { get; } = cluster;
}

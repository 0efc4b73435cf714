using Aspire.Hosting.ApplicationModel;
using Mcp.HighAvailability.Hosting;
using Mcp.HighAvailability.Hosting.Balancer;
using Mcp.HighAvailability.Hosting.Cluster;

namespace Aspire.Hosting;

/// <summary>Adds the balancer of an MCP cluster to an application.</summary>
public static class McpBalancerBuilderExtensions
{
    private const string HttpEndpoint = "http";

    /// <summary>Adds the balancer in front of a cluster: the address for clients, and the cluster page.</summary>
    /// <remarks>
    /// The balancer uses the store of the cluster and finds the replicas there. It needs no reference to them, and no restart when their number changes.
    /// The parameter <c>operations-key</c> is the key for drain and resume, <c>allowed-hosts</c> the host names that clients use.
    /// </remarks>
    /// <typeparam name="TProject">The project of the balancer, which calls <c>AddMcpBalancer</c> and <c>MapMcpBalancer</c>.</typeparam>
    /// <param name="builder">The application.</param>
    /// <param name="name">Name of the resource.</param>
    /// <param name="cluster">The cluster, which refers to its store already.</param>
    /// <exception cref="McpHostingException">The cluster refers to no store.</exception>
    public static IResourceBuilder<ProjectResource> AddMcpBalancer<TProject>(
        this IDistributedApplicationBuilder builder, [ResourceName] string name, IResourceBuilder<McpClusterResource> cluster)
        where TProject : IProjectMetadata, new()
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(cluster);
        ClusterInheritance.Check(cluster.Resource);
        var store = builder.CreateResourceBuilder(cluster.Resource.Store!);
        var key = builder.AddOperationsKey();
        var balancer = builder.AddProject<TProject>(name)
            .WithReference(store)
            .WaitFor(store)
            .WithEnvironment("Balancer__Operations__Key", key)
            .WithEnvironment("Balancer__AllowedHosts", builder.AddAllowedHosts())
            .WithGracePeriod(McpGracePeriodAnnotation.Balancer)
            .WithAnnotation(new McpBalancerAnnotation(cluster.Resource))
            .WithDashboardLink()
            // A client would choose the address that its requests are counted by.
            .DisableForwardedHeaders()
            .WithHttpHealthCheck("/health")
            .WithExternalHttpEndpoints()
            .WithMcpServer("/mcp", HttpEndpoint)
            .WithUrlForEndpoint(HttpEndpoint, url => url.DisplayText = "Cluster page")
            .WithUrlForEndpoint(HttpEndpoint, _ => new() { Url = "/mcp", DisplayText = "MCP endpoint" });
        cluster.Resource.Balancer = balancer.Resource;
        cluster.Resource.OperationsKey = key.Resource;
        return balancer;
    }
}

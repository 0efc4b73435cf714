using Aspire.Hosting.ApplicationModel;

namespace Mcp.HighAvailability.Hosting;

/// <summary>A cluster of replicas of one MCP server.</summary>
/// <remarks>
/// Environment variables, arguments, references and waits that are added to the cluster reach each of its replicas. On the developer's machine a replica is
/// a resource of its own, <c>server-1</c> and so on; a published cluster <c>server</c> is one service with several instances.
/// </remarks>
/// <param name="name">Name of the resource.</param>
public sealed class McpClusterResource(string name) : Resource(name), IResourceWithEnvironment, IResourceWithArgs, IResourceWithWaitSupport
{
    private readonly List<ProjectResource> _replicas = [];

    /// <summary>The replicas, including those that start on request only. Published: the one service.</summary>
    public IReadOnlyList<ProjectResource> Replicas => _replicas;

    /// <summary>The balancer in front of the cluster; <see langword="null"/> before <c>AddMcpBalancer</c>.</summary>
    public ProjectResource? Balancer { get; internal set; }

    /// <summary>The parameter with the key for drain and resume; <see langword="null"/> before <c>AddMcpBalancer</c>.</summary>
    internal ParameterResource? OperationsKey { get; set; }

    /// <summary>The store: the resource marked by <see cref="McpStoreAnnotation"/> that the cluster refers to, or <see langword="null"/>.</summary>
    internal IResourceWithConnectionString? Store => Annotations.OfType<ResourceRelationshipAnnotation>()
        .Select(relationship => relationship.Resource)
        .OfType<IResourceWithConnectionString>()
        .FirstOrDefault(resource => resource.HasAnnotationOfType<McpStoreAnnotation>());

    internal void Add(ProjectResource replica) => _replicas.Add(replica);
}

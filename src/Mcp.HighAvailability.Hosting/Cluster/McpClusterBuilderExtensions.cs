using Aspire.Hosting.ApplicationModel;
using Mcp.HighAvailability.Hosting;
using Mcp.HighAvailability.Hosting.Cluster;
using Mcp.HighAvailability.Hosting.Commands;
using Mcp.HighAvailability.Hosting.Start;

namespace Aspire.Hosting;

/// <summary>Adds a cluster of MCP servers to an application.</summary>
public static class McpClusterBuilderExtensions
{
    private const string HttpEndpoint = "http";

    /// <summary>Adds a cluster of replicas of one MCP server.</summary>
    /// <remarks>
    /// <para>
    /// On the developer's machine each replica is a resource of its own, <c>{name}-1</c> and so on, with its address, health, log and commands. Aspire's
    /// <c>WithReplicas</c> would give all of them one address and one health, those of a proxy that picks a replica at random.
    /// A published cluster is one service with <paramref name="replicas"/> instances.
    /// </para>
    /// <para>
    /// Add <c>WithReference(store)</c> with the store of <c>AddMcpStore</c>. Replicas start when the store is healthy. The setting <c>Replicas</c>, such as
    /// <c>--Replicas=5</c> on the command line, wins over <paramref name="replicas"/>, and <c>MaxReplicas</c> over <paramref name="maxReplicas"/>.
    /// </para>
    /// </remarks>
    /// <typeparam name="TProject">The project of the server, which calls <c>WithHighAvailability</c> and serves <c>/health</c>.</typeparam>
    /// <param name="builder">The application.</param>
    /// <param name="name">Name of the cluster.</param>
    /// <param name="replicas">Replicas that start with the application, 1 to 100.</param>
    /// <param name="maxReplicas">
    /// Replicas that the command <c>scale</c> can start on the developer's machine. Those beyond <paramref name="replicas"/> are resources that do not start
    /// with the application. By default there are none. A published cluster ignores it.
    /// </param>
    /// <exception cref="McpHostingException">The number of replicas is out of range.</exception>
    public static IResourceBuilder<McpClusterResource> AddMcpCluster<TProject>(
        this IDistributedApplicationBuilder builder, [ResourceName] string name, int replicas = 3, int? maxReplicas = null)
        where TProject : IProjectMetadata, new()
    {
        ArgumentNullException.ThrowIfNull(builder);
        StartErrors.ShowMessageOnly();
        var count = ReplicaCount.Read(builder.Configuration, replicas, maxReplicas);
        var cluster = new McpClusterResource(name);
        if (builder.ExecutionContext.IsPublishMode)
        {
            // The service has the name, so the cluster is no resource of the model.
            cluster.Add(builder.AddProject<TProject>(name).WithReplicas(count.Initial).AsReplicaOf(cluster).Resource);
            return builder.CreateResourceBuilder(cluster);
        }

        builder.AddClusterServices(cluster);
        var added = builder.AddResource(cluster).WithIconName("Server").WithInitialState(ClusterStatus.Initial);
        foreach (var number in Enumerable.Range(1, count.Max))
        {
            var startsExplicitly = number > count.Initial;
            var replica = builder.AddProject<TProject>($"{name}-{number}")
                // The launch profile has one port for all of them.
                .WithEndpoint(HttpEndpoint, endpoint => endpoint.Port = null)
                .WithEnvironment(context => context.EnvironmentVariables[ReplicaId.Variable] = ReplicaId.Create($"{name}-{number}"))
                .WithAnnotation(new McpReplicaAnnotation(cluster, number, startsExplicitly))
                .WithParentRelationship(added)
                .AsReplicaOf(cluster)
                .WithReplicaCommands(cluster);
            cluster.Add(startsExplicitly ? replica.WithExplicitStart().Resource : replica.Resource);
        }

        ScaleCommand.AddTo(added);
        return added;
    }

    /// <summary>Configures the resource of each replica, for all that the cluster itself has no method for.</summary>
    /// <param name="cluster">The cluster.</param>
    /// <param name="configure">Called at once for each replica. Published: called once, for the service.</param>
    public static IResourceBuilder<McpClusterResource> ConfigureReplicas(
        this IResourceBuilder<McpClusterResource> cluster, Action<IResourceBuilder<ProjectResource>> configure)
    {
        ArgumentNullException.ThrowIfNull(cluster);
        ArgumentNullException.ThrowIfNull(configure);
        foreach (var replica in cluster.Resource.Replicas)
            configure(cluster.ApplicationBuilder.CreateResourceBuilder(replica));
        return cluster;
    }

    private static IResourceBuilder<ProjectResource> AsReplicaOf(this IResourceBuilder<ProjectResource> replica, McpClusterResource cluster) => replica
        .Inherit(cluster)
        // A client would choose the address that its requests are counted by.
        .DisableForwardedHeaders()
        .WithHttpHealthCheck("/health")
        .WithGracePeriod(McpGracePeriodAnnotation.Server);
}

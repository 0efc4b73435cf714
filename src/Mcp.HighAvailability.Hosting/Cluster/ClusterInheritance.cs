using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;

namespace Mcp.HighAvailability.Hosting.Cluster;

/// <summary>Passes on to a replica what is added to its cluster.</summary>
internal static class ClusterInheritance
{
    // Variables and arguments are asked for when the replica starts, or is published. Waits and references exist on the developer's machine only.
    public static IResourceBuilder<ProjectResource> Inherit(this IResourceBuilder<ProjectResource> replica, McpClusterResource cluster)
    {
        replica.ApplicationBuilder.OnBeforeStart((_, _) =>
        {
            Check(cluster);
            foreach (var annotation in cluster.Annotations.Where(annotation => annotation is WaitAnnotation or ResourceRelationshipAnnotation).ToList())
                replica.Resource.Annotations.Add(annotation);
            replica.Resource.Annotations.Add(new WaitAnnotation(cluster.Store!, WaitType.WaitUntilHealthy));
            return Task.CompletedTask;
        });
        return replica
            .WithEnvironment(async context =>
            {
                foreach (var annotation in cluster.Annotations.OfType<EnvironmentCallbackAnnotation>().ToList())
                    await annotation.Callback(context);
            })
            .WithArgs(async context =>
            {
                foreach (var annotation in cluster.Annotations.OfType<CommandLineArgsCallbackAnnotation>().ToList())
                    await annotation.Callback(context);
            });
    }

    /// <summary>Says so if the cluster refers to no store.</summary>
    public static void Check(McpClusterResource cluster)
    {
        if (cluster.Store is null)
        {
            throw new McpHostingException(
                $"Cluster '{cluster.Name}' has no store. Add .WithReference(builder.AddMcpStore(\"redis\")), or mark your own resource with .AsMcpStore() " +
                    "before you refer to it.");
        }
    }
}

using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.Configuration;

namespace McpHa.AppHost;

/// <summary>Where the cluster's Redis comes from.</summary>
internal static class ClusterRedis
{
    /// <summary>
    /// Adds Redis: the one that <c>ConnectionStrings:{name}</c> names, otherwise a container with a data volume, otherwise (where
    /// there is no container runtime) the <c>redis-server</c> that is installed on this machine.
    /// </summary>
    public static IResourceBuilder<IResourceWithConnectionString> AddClusterRedis(this IDistributedApplicationBuilder builder, string name)
    {
        if (!string.IsNullOrWhiteSpace(builder.Configuration.GetConnectionString(name)))
            return builder.AddConnectionString(name);

        // What is published is the container, whatever this machine can run.
        if (builder.ExecutionContext.IsPublishMode || Programs.ContainerRuntime() is not null)
            return builder.AddRedis(name)
                // Aspire would make a name of the project's, with dots, which Kubernetes takes for no volume.
                .WithDataVolume(builder.ExecutionContext.IsPublishMode ? $"{name}-data" : null)
                .WithPersistence(interval: TimeSpan.FromSeconds(10));

        var command = Programs.Find("redis-server") ?? throw new DistributedApplicationException(
            $"There is no Redis to run the cluster on. Start Docker or Podman, or install redis-server, or set ConnectionStrings:{name} to an existing one.");
        return builder.AddLocalRedis(name, command);
    }
}

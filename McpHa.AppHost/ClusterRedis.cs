using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace McpHa.AppHost;

/// <summary>Chooses the cluster's store.</summary>
internal static partial class ClusterRedis
{
    /// <summary>Property of the resource, in the dashboard, that says which store it is and why.</summary>
    private const string Property = "Store";

    /// <summary>
    /// Adds the store: the Redis that <c>ConnectionStrings:{name}</c> names, otherwise a container with a data volume, otherwise (without a container runtime) an
    /// installed <c>redis-server</c>, otherwise Garnet as a .NET tool. The log and the dashboard say which one, and why.
    /// </summary>
    public static IResourceBuilder<IResourceWithConnectionString> AddClusterRedis(this IDistributedApplicationBuilder builder, string name)
    {
        if (!string.IsNullOrWhiteSpace(builder.Configuration.GetConnectionString(name)))
            return builder.AddConnectionString(name).Describe($"an existing Redis, because ConnectionStrings:{name} is set");

        // What is published is the container, whatever this machine can run.
        if (builder.ExecutionContext.IsPublishMode)
            return builder.AddContainer(name);
        if (Programs.ContainerRuntime() is { } runtime)
            return builder.AddContainer(name).Describe($"Redis in a container, because {runtime} runs");
        if (Programs.Find("redis-server") is { } command)
            return builder.AddLocalRedis(name, command).Describe($"{command}, because no container runtime runs");
        return builder.AddGarnet(name).Describe(
            $"Garnet {GarnetResource.Version} as a .NET tool, because no container runtime runs and redis-server is not installed. Sessions end with the application");
    }

    private static IResourceBuilder<RedisResource> AddContainer(this IDistributedApplicationBuilder builder, string name) => builder.AddRedis(name)
        // Aspire would make a name of the project's, with dots, which Kubernetes takes for no volume.
        .WithDataVolume(builder.ExecutionContext.IsPublishMode ? $"{name}-data" : null)
        .WithPersistence(interval: TimeSpan.FromSeconds(10));

    private static IResourceBuilder<T> Describe<T>(this IResourceBuilder<T> store, string what) where T : IResourceWithConnectionString
    {
        store.ApplicationBuilder.OnBeforeStart((start, _) =>
        {
            Chosen(start.Services.GetRequiredService<ILoggerFactory>().CreateLogger(typeof(ClusterRedis)), store.Resource.Name, what);
            return Task.CompletedTask;
        });
        return store.OnConnectionStringAvailable((resource, available, _) => available.Services.GetRequiredService<ResourceNotificationService>()
            .PublishUpdateAsync(resource, snapshot => snapshot with { Properties = snapshot.Properties.Add(new(Property, what)) }));
    }

    [LoggerMessage(LogLevel.Information, "Store '{Name}': {What}.")]
    private static partial void Chosen(ILogger logger, string name, string what);
}

using Mcp.HighAvailability.Storage;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace Mcp.HighAvailability.Cluster;

/// <summary>Registers the cluster pattern.</summary>
public static class ClusterServiceCollectionExtensions
{
    /// <summary>
    /// Adds the <see cref="ReplicaDirectory"/> and runs it with the host. It needs an <see cref="IReplicaRegistry"/>, and takes an
    /// <see cref="ISelfReplica"/> and an event bus when they are registered. May be called twice.
    /// </summary>
    public static IServiceCollection AddReplicaDirectory(this IServiceCollection services)
    {
        services.TryAddSingleton(TimeProvider.System);
        services.AddClusterOptions();
        services.TryAddSingleton<PeerProbe>();
        services.TryAddSingleton<ReplicaDirectory>();
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IHostedService, ReplicaDirectory>(
            static provider => provider.GetRequiredService<ReplicaDirectory>()));
        return services;
    }

    internal static void AddClusterOptions(this IServiceCollection services)
    {
        services.AddOptions<ClusterOptions>().ValidateOnStart();
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IPostConfigureOptions<ClusterOptions>, ApplicationName>());
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<ClusterOptions>, ClusterOptionsValidator>());
    }
}

using Mcp.HighAvailability;
using Mcp.HighAvailability.Cluster;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Background work that runs once in the cluster.</summary>
public static class ClusterServiceBuilderExtensions
{
    /// <summary>
    /// Runs a hosted service on one replica at a time, in the place of <c>AddHostedService</c>. When that replica stops, drains or is lost, another one
    /// creates and starts the service.
    /// </summary>
    /// <remarks>
    /// <para>The service is created anew each time, in a scope of its own, and may inject <see cref="ClusterLease"/>. It runs nowhere while the store is
    /// away.</para>
    /// <para>At most one replica has the lease. A replica that was paused and comes back may finish the step it was in before it notices: a step that must not
    /// happen twice asks <see cref="ClusterLease.VerifyAsync"/> first, or hands <see cref="ClusterLease.Number"/> to a store that refuses smaller ones.</para>
    /// </remarks>
    /// <typeparam name="TService">The service. Its type is the name of the lease, so a type is registered once.</typeparam>
    public static HighAvailabilityBuilder AddClusterService<TService>(this HighAvailabilityBuilder builder) where TService : class, IHostedService
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.Services.TryAddScoped<ClusterLease>();
        builder.Services.TryAddEnumerable(ServiceDescriptor.Singleton<IHostedService, ClusterService<TService>>());
        return builder;
    }
}

using Aspire.Hosting;
using Mcp.HighAvailability.Hosting.Cluster;
using Mcp.HighAvailability.Hosting.Restart;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;

namespace Mcp.HighAvailability.Hosting.Start;

/// <summary>Services of the AppHost that watch over clusters.</summary>
internal static class ClusterServices
{
    public static void AddClusterServices(this IDistributedApplicationBuilder builder, McpClusterResource cluster)
    {
        builder.Services.TryAddSingleton(TimeProvider.System);
        builder.Services.TryAddSingleton<ReplicaRestarter>();
        builder.Services.TryAddEnumerable(ServiceDescriptor.Singleton<IHostedService, ReplicaRestarter>(services =>
            services.GetRequiredService<ReplicaRestarter>()));
        builder.Services.AddSingleton<IHostedService>(services => ActivatorUtilities.CreateInstance<StartReport>(services, cluster));
        builder.Services.AddSingleton<IHostedService>(services => ActivatorUtilities.CreateInstance<ClusterStatus>(services, cluster));
    }
}

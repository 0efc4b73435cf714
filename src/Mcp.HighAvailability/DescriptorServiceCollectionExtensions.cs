using Mcp.HighAvailability.Http;
using Mcp.HighAvailability.Limits;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Mcp.HighAvailability;

internal static class DescriptorServiceCollectionExtensions
{
    /// <summary>Monitors the file descriptor limit of the process. Can be called twice.</summary>
    public static IServiceCollection AddDescriptorLimit(this IServiceCollection services)
    {
        services.AddMetrics();
        services.TryAddSingleton<Descriptors>(static provider => ActivatorUtilities.CreateInstance<Descriptors>(provider));
        services.TryAddSingleton<DescriptorGate>();

        // Kestrel asks the transport first that was registered last.
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IConnectionListenerFactory, CountedListenerFactory>(static provider => new CountedListenerFactory(
            ActivatorUtilities.CreateInstance<SocketTransportFactory>(provider), provider.GetRequiredService<Descriptors>())));
        return services;
    }
}

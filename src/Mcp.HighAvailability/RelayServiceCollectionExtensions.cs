using Mcp.HighAvailability.Cluster;
using Mcp.HighAvailability.Diagnostics;
using Mcp.HighAvailability.Limits;
using Mcp.HighAvailability.Relay;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Mcp.HighAvailability;

/// <summary>Registers the relay pattern.</summary>
public static class RelayServiceCollectionExtensions
{
    /// <summary>Adds the <see cref="Relay"/> and the <see cref="ReplicaDirectory"/> it asks. May be called twice.</summary>
    public static IServiceCollection AddRelay(this IServiceCollection services)
    {
        services.AddReplicaDirectory();
        services.AddMetrics();
        services.AddTelemetry();
        services.AddDescriptorLimit();
        services.AddOptions<RelayOptions>().ValidateOnStart();
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<RelayOptions>, RelayOptionsValidator>());
        services.TryAddSingleton<Refusals>();
        services.TryAddSingleton<RelayMetrics>();
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IStartsAtZero, RelayMetrics>(static p => p.GetRequiredService<RelayMetrics>()));
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IStartsAtZero, Descriptors>(static p => p.GetRequiredService<Descriptors>()));
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IHostedService, CounterStart>());
        services.TryAddSingleton(static provider => new Relay.Relay(
            provider.GetRequiredService<ReplicaDirectory>(),
            provider.GetRequiredService<IOptions<RelayOptions>>().Value,
            provider.GetRequiredService<RelayMetrics>(),
            provider.GetRequiredService<Descriptors>(),
            provider.GetRequiredService<TimeProvider>(),
            provider.GetRequiredService<ILogger<Relay.Relay>>()));
        return services;
    }
}

using Microsoft.AspNetCore.DataProtection;
using Microsoft.AspNetCore.DataProtection.Infrastructure;
using Microsoft.AspNetCore.DataProtection.Internal;
using Microsoft.AspNetCore.DataProtection.KeyManagement;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Mcp.HighAvailability.Security;

/// <summary>ASP.NET Core Data Protection with its keys in the cluster's store, for the library and for the application.</summary>
internal static class ClusterDataProtection
{
    /// <summary>
    /// Keeps the keys of data protection in the store, so that all replicas read each other's cookies, antiforgery tokens and <c>requestState</c>. An
    /// application that configures its own persistence, application name or key manager keeps them.
    /// </summary>
    public static IServiceCollection AddClusterDataProtection(this IServiceCollection services)
    {
        services.AddDataProtection();
        services.TryAddSingleton<ClusterKeyRepository>();
        services.AddOptions<KeyManagementOptions>().PostConfigure<ClusterKeyRepository>(static (keys, repository) => keys.XmlRepository ??= repository);
        services.AddOptions<DataProtectionOptions>().PostConfigure<IServiceProvider>(ShareName);
        if (services.Any(static service => service.ServiceType == typeof(IKeyManager) && service.ImplementationType == typeof(XmlKeyManager)))
        {
            services.Replace(ServiceDescriptor.Singleton<IKeyManager>(static p => new ClusterKeys(
                new XmlKeyManager(p.GetRequiredService<IOptions<KeyManagementOptions>>(), p.GetRequiredService<IActivator>(),
                    p.GetRequiredService<ILoggerFactory>()),
                p.GetRequiredService<TimeProvider>())));
        }

        return services;
    }

    // The default name is the content root, which may differ between replicas.
    private static void ShareName(DataProtectionOptions options, IServiceProvider services)
    {
        if (services.GetRequiredService<IOptions<KeyManagementOptions>>().Value.XmlRepository is ClusterKeyRepository &&
            options.ApplicationDiscriminator == services.GetService<IApplicationDiscriminator>()?.Discriminator &&
            services.GetService<IHostEnvironment>() is { } environment)
        {
            options.ApplicationDiscriminator = environment.ApplicationName;
        }
    }
}

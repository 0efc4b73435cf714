using Mcp.HighAvailability;
using Mcp.HighAvailability.Cluster;
using Mcp.HighAvailability.Redis;
using Mcp.HighAvailability.Storage;
using Mcp.HighAvailability.Tasks;
using Microsoft.AspNetCore.DataProtection.Repositories;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Puts the cluster on Redis.</summary>
public static class RedisServices
{
    /// <summary>
    /// Keeps sessions, journals, state, tasks, broadcasts, data protection keys and the replica directory in Redis, and uses it as event bus.
    /// </summary>
    /// <remarks>
    /// The connection is the application's <c>IConnectionMultiplexer</c>, as <c>builder.AddRedisClient("redis")</c> registers it; the one that is keyed by
    /// <see cref="RedisHighAvailabilityOptions.ConnectionName"/>, if there is one. The application does not start when it cannot be reached.
    /// </remarks>
    /// <param name="ha">The builder.</param>
    public static HighAvailabilityBuilder UseRedis(this HighAvailabilityBuilder ha) => ha.UseRedis(configure: null);

    /// <inheritdoc cref="UseRedis(HighAvailabilityBuilder)"/>
    /// <param name="ha">The builder.</param>
    /// <param name="configure">Sets options, after the configuration section <c>HighAvailability:Redis</c> was read.</param>
    public static HighAvailabilityBuilder UseRedis(this HighAvailabilityBuilder ha, Action<RedisHighAvailabilityOptions>? configure)
    {
        ArgumentNullException.ThrowIfNull(ha);
        ha.Services.AddRedisReplicaRegistry(configure);
        ha.Services.Replace(ServiceDescriptor.Singleton<ISessionStore, RedisSessionStore>());
        ha.Services.Replace(ServiceDescriptor.Singleton<ISessionJournal, RedisSessionJournal>());
        ha.Services.Replace(ServiceDescriptor.Singleton<IStateHandleStore, RedisStateHandleStore>());
        ha.Services.Replace(ServiceDescriptor.Singleton<IBroadcastLog, RedisBroadcastLog>());
        ha.Services.Replace(ServiceDescriptor.Singleton<ITaskStore, RedisTaskStore>());
        ha.Services.Replace(ServiceDescriptor.Singleton<IXmlRepository, RedisXmlRepository>());
        return ha;
    }

    /// <inheritdoc cref="UseRedis(HighAvailabilityBuilder)" path="/summary"/>
    /// <param name="ha">The builder.</param>
    /// <param name="connectionString">
    /// Address and settings in the form of StackExchange.Redis, for example <c>localhost:6379</c>. The library makes a connection of its own, beside those
    /// of the application.
    /// </param>
    public static HighAvailabilityBuilder UseRedis(this HighAvailabilityBuilder ha, string connectionString)
    {
        ArgumentNullException.ThrowIfNull(ha);
        ArgumentException.ThrowIfNullOrEmpty(connectionString);
        ha.Services.Replace(ServiceDescriptor.Singleton(_ => RedisConnectionSource.To(connectionString)));
        return ha.UseRedis();
    }

    /// <inheritdoc cref="UseRedis(HighAvailabilityBuilder)" path="/summary"/>
    /// <param name="ha">The builder.</param>
    /// <param name="connection">The connection to use, which stays the application's.</param>
    public static HighAvailabilityBuilder UseRedis(this HighAvailabilityBuilder ha, IConnectionMultiplexer connection)
    {
        ArgumentNullException.ThrowIfNull(connection);
        return ha.UseRedis(_ => connection);
    }

    /// <inheritdoc cref="UseRedis(HighAvailabilityBuilder)" path="/summary"/>
    /// <param name="ha">The builder.</param>
    /// <param name="connection">
    /// Gets the connection, for example <c>services => services.GetRequiredKeyedService&lt;IConnectionMultiplexer>("sessions")</c>. It stays the application's.
    /// </param>
    public static HighAvailabilityBuilder UseRedis(this HighAvailabilityBuilder ha, Func<IServiceProvider, IConnectionMultiplexer> connection)
    {
        ArgumentNullException.ThrowIfNull(ha);
        ArgumentNullException.ThrowIfNull(connection);
        ha.Services.Replace(ServiceDescriptor.Singleton(new RedisConnectionSource(connection)));
        return ha.UseRedis();
    }

    /// <summary>Registers the replica registry, the event bus, the session lookup and the figures of the store on Redis: what a balancer needs.</summary>
    /// <param name="services">The services of the balancer.</param>
    /// <param name="configure">Sets options; the same as those of the replicas.</param>
    public static IServiceCollection AddRedisReplicaRegistry(this IServiceCollection services, Action<RedisHighAvailabilityOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        services.AddClusterOptions();
        var options = services.AddOptions<RedisHighAvailabilityOptions>().BindConfiguration(RedisHighAvailabilityOptions.SectionName).ValidateOnStart();
        if (configure is not null)
            options.Configure(configure);
        options.PostConfigure<IOptions<ClusterOptions>>(static (redis, cluster) => redis.KeyPrefix ??= $"mcp-ha:{cluster.Value.Application}:");

        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<RedisHighAvailabilityOptions>, RedisOptionsValidator>());
        services.TryAddSingleton(TimeProvider.System);
        services.TryAddSingleton<RedisConnection>();
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IHostedService, RedisStartCheck>());
        services.PostConfigure<HealthCheckServiceOptions>(DegradeOnly);
        services.Configure<LoggerFilterOptions>(QuietLibraries);
        services.Replace(ServiceDescriptor.Singleton<IReplicaRegistry, RedisReplicaRegistry>());
        services.Replace(ServiceDescriptor.Singleton<IEventBus, RedisEventBus>());
        services.Replace(ServiceDescriptor.Singleton<ISessionLookup, RedisSessionLookup>());
        services.Replace(ServiceDescriptor.Singleton<IStoreFigures, RedisStoreFigures>());
        return services;
    }

    // Owners serve their sessions while Redis is away. If the health check of AddRedisClient made them unhealthy, a load balancer would remove all replicas at
    // once, and a short outage of Redis would be an outage of the application.
    private static void DegradeOnly(HealthCheckServiceOptions checks)
    {
        foreach (var check in checks.Registrations.Where(static check => check.Name.StartsWith("StackExchange.Redis", StringComparison.Ordinal)))
            check.FailureStatus = HealthStatus.Degraded;
    }

    // The client describes each step of a connection at Information, with raw bytes. ASP.NET Core warns at the first start that keys are stored without
    // encryption; the security page has the cure. The first rules are the weakest: a setting for the same category wins.
    private static void QuietLibraries(LoggerFilterOptions filters)
    {
        filters.Rules.Insert(0, new(null, "StackExchange.Redis", LogLevel.Warning, null));
        filters.Rules.Insert(0, new(null, "Microsoft.AspNetCore.DataProtection.KeyManagement.XmlKeyManager", LogLevel.Error, null));
    }
}

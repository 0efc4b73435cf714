using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using StackExchange.Redis;

namespace Microsoft.Extensions.Hosting;

/// <summary>Stands in for the Aspire.StackExchange.Redis package: same call, same configuration, same health check name.</summary>
internal static class RedisClientExtensions
{
    /// <summary>Registers <see cref="IConnectionMultiplexer"/> for <c>ConnectionStrings:{connectionName}</c>, connected when the host starts.</summary>
    public static void AddRedisClient(this IHostApplicationBuilder builder, string connectionName)
    {
        builder.Services.AddSingleton<IConnectionMultiplexer>(services => Connect(services.GetRequiredService<IConfiguration>(), connectionName));
        builder.Services.AddHostedService<RedisActivation>();
        builder.Services.AddHealthChecks().AddCheck<RedisHealthCheck>("StackExchange.Redis");
    }

    private static ConnectionMultiplexer Connect(IConfiguration configuration, string connectionName)
    {
        var connectionString = configuration.GetConnectionString(connectionName);
        if (string.IsNullOrWhiteSpace(connectionString))
            throw new InvalidOperationException(
                $"There is no Redis to connect to: set ConnectionStrings:{connectionName} (as an environment variable ConnectionStrings__{connectionName}), for example to localhost:6379.");

        var options = ConfigurationOptions.Parse(connectionString);
        // The application starts, and goes on, without Redis and reconnects by itself.
        options.AbortOnConnectFail = false;

        return ConnectionMultiplexer.Connect(options);
    }
}

/// <summary>Connects at start, so that a missing or malformed connection string ends the start and not the first request.</summary>
internal sealed class RedisActivation(IServiceProvider services) : IHostedLifecycleService
{
    public Task StartingAsync(CancellationToken cancellationToken)
    {
        services.GetRequiredService<IConnectionMultiplexer>();
        return Task.CompletedTask;
    }

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}

internal sealed class RedisHealthCheck(IConnectionMultiplexer redis) : IHealthCheck
{
    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        try
        {
            await redis.GetDatabase().PingAsync().WaitAsync(cancellationToken);
            return HealthCheckResult.Healthy();
        }
        catch (Exception e) when (e is RedisException or TimeoutException)
        {
            return new HealthCheckResult(context.Registration.FailureStatus, exception: e);
        }
    }
}

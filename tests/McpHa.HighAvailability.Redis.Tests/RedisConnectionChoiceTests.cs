using Mcp.HighAvailability.Redis;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using StackExchange.Redis;

namespace McpHa.Tests;

/// <summary>Which connection the cluster uses in an application that has another Redis for itself.</summary>
[Collection(RedisCollection.Name)]
public sealed class RedisConnectionChoiceTests(RedisBackend redis)
{
    [Fact]
    public async Task A_connection_that_is_given_wins_over_that_of_the_application()
    {
        redis.Server.SkipIfUnavailable();
        using var own = new RedisClient(redis.Server.ConnectionString);
        await using var services = Services(
            ha => ha.UseRedis(own.Multiplexer), services => services.AddSingleton<IConnectionMultiplexer>(_ => throw new InvalidOperationException("not this one")));
        Assert.Same(own.Multiplexer, services.GetRequiredService<RedisConnection>().Multiplexer);
    }

    [Fact]
    public async Task A_keyed_connection_is_found_by_the_name_of_the_connection()
    {
        redis.Server.SkipIfUnavailable();
        await using var services = Services(
            ha => ha.UseRedis(options => options.ConnectionName = "sessions"),
            services => services
                .AddSingleton<IConnectionMultiplexer>(_ => throw new InvalidOperationException("not this one"))
                .AddKeyedSingleton("sessions", redis.Client));
        Assert.Same(redis.Client, services.GetRequiredService<RedisConnection>().Multiplexer);
    }

    [Fact]
    public async Task The_application_may_say_how_to_get_the_connection()
    {
        redis.Server.SkipIfUnavailable();
        await using var services = Services(
            ha => ha.UseRedis(provider => provider.GetRequiredKeyedService<IConnectionMultiplexer>(7)), services => services.AddKeyedSingleton(7, redis.Client));
        Assert.Same(redis.Client, services.GetRequiredService<RedisConnection>().Multiplexer);
    }

    [Fact]
    public async Task A_connection_string_makes_a_connection_of_its_own_that_ends_with_the_application()
    {
        redis.Server.SkipIfUnavailable();
        IConnectionMultiplexer made;
        await using (var services = Services(ha => ha.UseRedis(redis.Server.ConnectionString), _ => { }))
        {
            made = services.GetRequiredService<RedisConnection>().Multiplexer;
            Assert.True(await made.GetDatabase().PingAsync() > TimeSpan.Zero);
        }

        await Assert.ThrowsAsync<ObjectDisposedException>(() => made.GetDatabase().PingAsync());
    }

    private static ServiceProvider Services(Action<Mcp.HighAvailability.HighAvailabilityBuilder> use, Action<IServiceCollection> application)
    {
        var services = new ServiceCollection();
        services.AddSingleton<IConfiguration>(new ConfigurationBuilder().Build());
        application(services);
        services.AddMcpServer().WithHighAvailability(use);
        return services.BuildServiceProvider();
    }
}

using System.Diagnostics;
using McpHa.HighAvailability;
using McpHa.HighAvailability.Cluster;
using McpHa.HighAvailability.EventBus;
using McpHa.HighAvailability.Journal;
using McpHa.HighAvailability.Redis;
using McpHa.HighAvailability.Sessions;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using StackExchange.Redis;
using static McpHa.Tests.SessionSamples;

namespace McpHa.Tests;

/// <summary>What an application finds at its start, and says when Redis is missing.</summary>
[Collection(RedisCollection.Name)]
public sealed class RedisStartTests(RedisBackend redis)
{
    private const string Password = "s3cret-w0rd";

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Without_redis_the_application_does_not_start_and_says_where_it_looked_and_what_to_do(bool abortConnect)
    {
        var port = RedisServer.FreePort();
        var connectionString = $"127.0.0.1:{port},abortConnect={abortConnect},connectTimeout=500,connectRetry=1,password={Password}";
        var builder = Host.CreateApplicationBuilder();
        builder.Configuration["ConnectionStrings:redis"] = connectionString;
        builder.Services.AddSingleton<IConnectionMultiplexer>(_ => ConnectionMultiplexer.Connect(connectionString));
        builder.Services.AddRedisReplicaRegistry(options => options.StartTimeout = TimeSpan.FromMilliseconds(300));
        // Whatever needs Redis at its own start comes later, wherever it was registered.
        builder.Services.AddHostedService<FirstBeat>();
        using var host = builder.Build();

        var fault = await Assert.ThrowsAsync<InvalidOperationException>(() => host.StartAsync());

        Assert.Contains($"127.0.0.1:{port} cannot be reached", fault.Message, StringComparison.Ordinal);
        Assert.Contains("ConnectionStrings:redis", fault.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(Password, fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_a_registered_connection_the_start_says_how_to_register_one()
    {
        var builder = Host.CreateApplicationBuilder();
        builder.Services.AddRedisReplicaRegistry();
        using var host = builder.Build();

        var fault = await Assert.ThrowsAsync<InvalidOperationException>(() => host.StartAsync());

        Assert.Contains("AddRedisClient(\"redis\")", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Options_that_cannot_work_end_the_start_with_their_name_and_a_cure()
    {
        var builder = Host.CreateApplicationBuilder();
        builder.Services.AddRedisReplicaRegistry(options => options.KeyPrefix = "{all}:");
        using var host = builder.Build();

        var fault = await Assert.ThrowsAsync<OptionsValidationException>(() => host.StartAsync());

        Assert.Contains("RedisHighAvailabilityOptions.KeyPrefix", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task UseRedis_replaces_every_seam_whatever_was_registered_before_or_after_it()
    {
        RedisServer.SkipIfMissing();
        var builder = Host.CreateApplicationBuilder();
        builder.Services.TryAddInMemoryBackend();
        builder.Services.AddSingleton(redis.Client);
        new HighAvailabilityBuilder(builder.Services).UseRedis(options => options.KeyPrefix = "other:");
        builder.Services.TryAddInMemoryBackend();
        using var host = builder.Build();
        await host.StartAsync();

        Assert.IsType<RedisEventBus>(host.Services.GetRequiredService<IEventBus>());
        Assert.IsType<RedisReplicaRegistry>(host.Services.GetRequiredService<IReplicaRegistry>());
        Assert.IsType<RedisSessionJournal>(host.Services.GetRequiredService<ISessionJournal>());
        Assert.IsType<RedisStateHandleStore>(host.Services.GetRequiredService<IStateHandleStore>());
        var id = await CreatedAsync(Assert.IsType<RedisSessionStore>(host.Services.GetRequiredService<ISessionStore>()));
        Assert.True(await redis.Database.KeyExistsAsync($"other:{{{id}}}:session"));

        await host.StopAsync();
        Assert.True(redis.Client.IsConnected);
    }

    private sealed class FirstBeat(IReplicaRegistry registry) : BackgroundService
    {
        protected override async Task ExecuteAsync(CancellationToken stoppingToken) => await registry.BeatAsync(null, stoppingToken);
    }
}

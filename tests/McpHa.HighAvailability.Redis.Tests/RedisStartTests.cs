using System.Diagnostics;
using Mcp.HighAvailability;
using Mcp.HighAvailability.Redis;
using Mcp.HighAvailability.Storage;
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

    [Fact]
    public async Task Garnet_without_scripts_is_refused_with_the_flags_that_it_needs()
    {
        await using var server = new GarnetServer([]);
        await server.InitializeAsync();
        server.SkipIfUnavailable();

        Assert.Contains("Start it with --lua --lua-transaction-mode.", await RefusalAsync(server.ConnectionString), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Garnet_with_its_flags_is_accepted()
    {
        await using var server = new GarnetServer();
        await server.InitializeAsync();
        server.SkipIfUnavailable();
        using var host = HostOn(server.ConnectionString);

        await host.StartAsync();
        await host.StopAsync();
    }

    [Fact]
    public async Task A_read_only_replica_is_refused_with_the_way_to_its_primary()
    {
        RedisServer.SkipIfMissing();
        await using var server = new RedisServer("--replicaof", "127.0.0.1", $"{redis.Server.Port}");
        await server.InitializeAsync();

        var message = await RefusalAsync(server.ConnectionString);

        Assert.Contains($"{server.Address} is a read-only replica. Set ConnectionStrings:redis", message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_user_without_scripts_is_refused_with_the_list_of_rights()
    {
        RedisServer.SkipIfMissing();
        await using var server = new RedisServer("--user", "mcp", "on", ">secret", "~*", "&*", "+@all", "-@scripting");
        await server.InitializeAsync();

        Assert.Contains("on the security page", await RefusalAsync(server.ConnectionString + ",user=mcp,password=secret"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_user_without_one_command_is_refused_with_its_name()
    {
        RedisServer.SkipIfMissing();
        await using var server = new RedisServer("--user", "mcp", "on", ">secret", "~*", "&*", "+@all", "-ltrim");
        await server.InitializeAsync();

        Assert.Contains("(LTRIM: ", await RefusalAsync(server.ConnectionString + ",user=mcp,password=secret"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_client_without_the_commands_of_administrators_is_accepted()
    {
        RedisServer.SkipIfMissing();
        using var host = HostOn(redis.Server.Address, Wait.Limit);

        await host.StartAsync();
        await host.StopAsync();
    }

    [Fact]
    public async Task A_server_in_cluster_mode_is_accepted()
    {
        RedisServer.SkipIfMissing();
        await using var server = new RedisServer("--cluster-enabled", "yes");
        await server.InitializeAsync();
        using (var client = new RedisClient(server.ConnectionString))
            await client.Database.ExecuteAsync("CLUSTER", "ADDSLOTSRANGE", 0, 16383);
        using var host = HostOn(server.ConnectionString, Wait.Limit);

        await host.StartAsync();
        await host.StopAsync();
    }

    [Theory]
    [InlineData("redis_version:6.0.16", "6.0.16")]
    [InlineData("redis_version:5.0.7", "5.0.7")]
    [InlineData("redis_version:6.2.0", null)]
    [InlineData("redis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:8.1.0", null)]
    [InlineData("garnet_version:2.2.8\r\nredis_version:7.4.3", null)]
    [InlineData("", null)]
    public void A_version_below_6_2_is_too_old(string info, string? tooOld) => Assert.Equal(tooOld, RedisStartCheck.TooOld("# Server\r\n" + info + "\r\nos:Linux"));

    private static IHost HostOn(string connectionString, TimeSpan? timeout = null)
    {
        var builder = Host.CreateApplicationBuilder();
        builder.Services.AddSingleton<IConnectionMultiplexer>(_ => ConnectionMultiplexer.Connect(connectionString));
        builder.Services.AddRedisReplicaRegistry(options => options.StartTimeout = timeout ?? TimeSpan.FromMilliseconds(300));
        return builder.Build();
    }

    private static async Task<string> RefusalAsync(string connectionString)
    {
        using var host = HostOn(connectionString);
        return (await Assert.ThrowsAsync<InvalidOperationException>(() => host.StartAsync())).Message;
    }

    private sealed class FirstBeat(IReplicaRegistry registry) : BackgroundService
    {
        protected override async Task ExecuteAsync(CancellationToken stoppingToken) => await registry.BeatAsync(null, stoppingToken);
    }
}

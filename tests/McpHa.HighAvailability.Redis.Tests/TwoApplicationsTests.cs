using Mcp.HighAvailability.Cluster;
using Mcp.HighAvailability.Redis;
using Mcp.HighAvailability.Storage;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using static McpHa.Tests.SessionSamples;

namespace McpHa.Tests;

/// <summary>Two applications share a Redis, a server and its balancer share an application.</summary>
[Collection(RedisCollection.Name)]
public sealed class TwoApplicationsTests(RedisBackend redis)
{
    [Fact]
    public async Task A_server_and_its_balancer_find_each_other_and_no_other_application_with_nothing_configured()
    {
        RedisServer.SkipIfMissing();
        using var server = Start("Shop.Server");
        using var balancer = Start("Shop.Balancer");
        using var stranger = Start("Weather.Server");
        var (shop, weather) = (Replica() with { Application = "shop" }, Replica() with { Application = "weather" });
        var heard = new TaskCompletionSource<string>();
        await using var own = await balancer.GetRequiredService<IEventBus>().SubscribeAsync("news", payload =>
        {
            heard.TrySetResult(Text(payload));
            return default;
        });

        await server.GetRequiredService<IReplicaRegistry>().BeatAsync(shop);
        await stranger.GetRequiredService<IReplicaRegistry>().BeatAsync(weather);
        await stranger.GetRequiredService<IEventBus>().PublishAsync("news", Utf8("weather"));
        await server.GetRequiredService<IEventBus>().PublishAsync("news", Utf8("shop"));

        Assert.Equal([shop], await ReadAsync(balancer));
        Assert.Equal([weather], await ReadAsync(stranger));
        Assert.Equal("shop", await heard.Task.WaitAsync(Wait.Limit));
        var id = NewId();
        Assert.True(await Sessions(server).CreateAsync(Record(id)));
        Assert.Null(await Sessions(stranger).FindAsync(id));
        Assert.True(await redis.Database.KeyExistsAsync($"mcp-ha:shop:{{{id}}}:session"));
    }

    [Fact]
    public void Name_and_prefix_come_from_the_configuration_and_the_code_wins()
    {
        using var configured = Start("BasketServer", new() { ["HighAvailability:Application"] = "Basket.Shop" });
        using var prefixed = Start("BasketServer", new() { ["HighAvailability:Redis:KeyPrefix"] = "mine:" });
        using var coded = Start("BasketServer", new() { ["HighAvailability:Redis:KeyPrefix"] = "mine:" }, options => options.KeyPrefix = "code:");

        Assert.Equal("mcp-ha:basket.shop:", Prefix(configured));
        Assert.Equal("mine:", Prefix(prefixed));
        Assert.Equal("code:", Prefix(coded));
    }

    [Fact]
    public async Task A_name_that_cannot_be_part_of_a_key_ends_the_start()
    {
        var builder = Builder("Shop.Server", new() { ["HighAvailability:Application"] = "my shop" }, null);
        using var host = builder.Build();

        var fault = await Assert.ThrowsAsync<OptionsValidationException>(() => host.StartAsync());

        Assert.Contains("HighAvailability:Application is 'my shop'", fault.Message, StringComparison.Ordinal);
    }

    private ServiceProvider Start(string program, Dictionary<string, string?>? settings = null, Action<RedisHighAvailabilityOptions>? configure = null) =>
        Builder(program, settings, configure).Services.BuildServiceProvider();

    private HostApplicationBuilder Builder(string program, Dictionary<string, string?>? settings, Action<RedisHighAvailabilityOptions>? configure)
    {
        var builder = Host.CreateApplicationBuilder(new HostApplicationBuilderSettings { ApplicationName = program });
        builder.Configuration.AddInMemoryCollection(settings ?? []);
        if (!RedisServer.IsMissing)
            builder.Services.AddSingleton(redis.Client);
        new Mcp.HighAvailability.HighAvailabilityBuilder(builder.Services).UseRedis(configure);
        return builder;
    }

    private static string? Prefix(ServiceProvider services) => services.GetRequiredService<IOptions<RedisHighAvailabilityOptions>>().Value.KeyPrefix;

    private static ISessionStore Sessions(ServiceProvider services) => services.GetRequiredService<ISessionStore>();

    private static async Task<IEnumerable<ReplicaInfo>> ReadAsync(ServiceProvider services) =>
        (await services.GetRequiredService<IReplicaRegistry>().BeatAsync(null)).Select(entry => entry.Replica);
}

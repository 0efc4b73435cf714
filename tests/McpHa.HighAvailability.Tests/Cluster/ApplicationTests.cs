using Mcp.HighAvailability.Cluster;
using Mcp.HighAvailability.Storage;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace McpHa.Tests.Cluster;

/// <summary>Replicas of another application under the same key prefix, and the name that an application gets by itself.</summary>
public sealed class ApplicationTests
{
    [Fact]
    public async Task A_replica_of_another_application_is_refused_and_logged_once()
    {
        var registry = new InMemoryReplicaRegistry(TimeProvider.System);
        var log = new Lines();
        using var directory = new ReplicaDirectory(registry, Options.Create(new ClusterOptions { Application = "shop" }), TimeProvider.System, log);
        await registry.BeatAsync(Replica("own", "Shop"));
        await registry.BeatAsync(Replica("older", ""));
        await registry.BeatAsync(Replica("stranger", "weather"));

        await directory.RefreshAsync();
        await directory.RefreshAsync();

        Assert.Equal(["older", "own"], directory.Alive.Select(replica => replica.Id));
        Assert.DoesNotContain(directory.Known(), known => known.Replica.Id == "stranger");
        var line = Assert.Single(log.Written);
        Assert.Contains("Replica stranger", line, StringComparison.Ordinal);
        Assert.Contains("application is 'weather', that of this process is 'shop'", line, StringComparison.Ordinal);
        Assert.Contains("HighAvailability:Application", line, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_replica_that_leaves_after_its_shutdown_is_not_reported_as_lost()
    {
        var registry = new InMemoryReplicaRegistry(TimeProvider.System);
        var log = new Lines();
        using var directory = new ReplicaDirectory(registry, Options.Create(new ClusterOptions { Application = "shop" }), TimeProvider.System, log);
        await registry.BeatAsync(Replica("a", "shop") with { Draining = true });
        await directory.RefreshAsync();
        await registry.LeaveAsync("a");

        await directory.RefreshAsync();

        Assert.Equal(["Replica a left after its shutdown."], log.Written);
    }

    [Theory]
    [InlineData("Shop.Server", "shop")]
    [InlineData("Shop.Balancer", "shop")]
    [InlineData("My.Shop.server", "my.shop")]
    [InlineData("ShopServer", "shop")]
    [InlineData("shop-balancer", "shop")]
    [InlineData("Shop", "shop")]
    [InlineData("Shop.Orders", "shop.orders")]
    [InlineData("my shop {1}", "my-shop-1")]
    [InlineData("Server", "default")]
    [InlineData("", "default")]
    public void An_application_is_named_after_its_program_without_the_role(string program, string application) =>
        Assert.Equal(application, ApplicationName.Of(program));

    private static ReplicaInfo Replica(string id, string application) =>
        new(id, new Uri("http://127.0.0.1:5300/"), Draining: false, Sessions: 0, Calls: 0, DateTimeOffset.UnixEpoch, "1.0.0", ProcessId: 1) { Application = application };

    private sealed class Lines : ILogger<ReplicaDirectory>
    {
        public List<string> Written { get; } = [];

        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            Written.Add(formatter(state, exception));
    }
}

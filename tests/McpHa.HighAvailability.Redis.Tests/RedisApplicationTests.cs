using System.Collections.Concurrent;
using Mcp.HighAvailability;
using Mcp.HighAvailability.Broadcast;
using Mcp.HighAvailability.Cluster;
using Mcp.HighAvailability.Redis;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace McpHa.Tests;

/// <summary>What an application uses beside tools, with three replicas on a real Redis.</summary>
/// <remarks>ClusterServiceTests and ClusterEventTests have the cases in memory.</remarks>
[Collection(RedisCollection.Name)]
public sealed class RedisApplicationTests(RedisBackend redis) : IAsyncLifetime
{
    private readonly string _prefix = $"mcp-ha:{Guid.NewGuid():N}:";
    private readonly Dictionary<string, WebApplication> _replicas = [];
    private readonly Runs _runs = new();
    private readonly ConcurrentQueue<string> _seen = new();

    public async ValueTask InitializeAsync()
    {
        if (RedisServer.IsMissing)
            return;
        foreach (var id in (string[])["a", "b", "c"])
            _replicas[id] = await StartAsync(id);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var replica in _replicas.Values)
            await replica.DisposeAsync();
    }

    [Fact]
    public async Task A_cluster_service_moves_to_another_replica_with_a_greater_number_and_never_do_two_run()
    {
        RedisServer.SkipIfMissing();
        await Wait.UntilAsync(() => !_runs.Running.IsEmpty, "the service");
        var (first, firstLease) = _runs.Running.First();
        Assert.True(await firstLease.VerifyAsync());

        await _replicas[first].StopAsync();

        await Wait.UntilAsync(() => _runs.Running.Keys.Any(id => id != first), "the next one");
        var nextLease = _runs.Running.First(run => run.Key != first).Value;
        Assert.True(nextLease.Number > firstLease.Number);
        Assert.True(firstLease.Lost.IsCancellationRequested);
        Assert.True(await nextLease.VerifyAsync());
        Assert.Equal(1, _runs.Most);
    }

    [Fact]
    public async Task Every_replica_handles_every_event_once_and_in_one_order()
    {
        RedisServer.SkipIfMissing();
        foreach (var (id, replica) in _replicas)
        {
            // An event that is older than a replica's first look at the log is not the replica's.
            await replica.Services.GetRequiredService<BroadcastFollower>().BeginAsync(default);
            Events(id).Subscribe<int>("number", number =>
            {
                _seen.Enqueue($"{id} {number}");
                return ValueTask.CompletedTask;
            });
        }

        for (var n = 0; n < 30; n++)
            await Events(_replicas.Keys.ElementAt(n % 3)).PublishAsync("number", n);
        await Wait.UntilAsync(() => _seen.Count == 90, "all events");

        foreach (var id in _replicas.Keys)
            Assert.Equal(Enumerable.Range(0, 30).Select(n => $"{id} {n}"), _seen.Where(one => one.StartsWith(id, StringComparison.Ordinal)));
    }

    private IClusterEvents Events(string id) => _replicas[id].Services.GetRequiredService<IClusterEvents>();

    private async Task<WebApplication> StartAsync(string id)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders();
        builder.Services.AddSingleton(_runs);
        builder.Services.Configure<HighAvailabilityOptions>(options => (options.ReplicaId, options.DrainTimeout) = (id, TimeSpan.Zero));
        builder.Services.Configure<ClusterOptions>(options =>
            (options.HeartbeatInterval, options.Overdue) = (TimeSpan.FromMilliseconds(100), TimeSpan.FromSeconds(45)));
        builder.Services.Configure<RedisHighAvailabilityOptions>(options => options.KeyPrefix = _prefix);
        builder.Services.AddMcpServer().WithHighAvailability(ha => ha.UseRedis(redis.Client).AddClusterService<Ticker>());
        var app = builder.Build();
        app.MapHighlyAvailableMcp("/mcp");
        await app.StartAsync();
        return app;
    }

    private sealed class Runs
    {
        private readonly Lock _gate = new();

        public ConcurrentDictionary<string, ClusterLease> Running { get; } = new();

        public int Most { get; private set; }

        public void Begin(string replica, ClusterLease lease)
        {
            lock (_gate)
            {
                Running[replica] = lease;
                Most = Math.Max(Most, Running.Count);
            }
        }
    }

    private sealed class Ticker(Runs runs, ClusterLease lease, ISelfReplica self) : BackgroundService
    {
        protected override async Task ExecuteAsync(CancellationToken stoppingToken)
        {
            runs.Begin(self.Id, lease);
            await Task.Delay(Timeout.Infinite, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            runs.Running.TryRemove(self.Id, out _);
        }
    }
}

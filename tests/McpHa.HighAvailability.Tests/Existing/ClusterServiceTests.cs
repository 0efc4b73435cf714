using System.Collections.Concurrent;
using Mcp.HighAvailability;
using Mcp.HighAvailability.Cluster;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace McpHa.Tests;

/// <summary>A cluster service runs on one replica at a time.</summary>
public sealed class ClusterServiceTests
{
    [Fact]
    public async Task One_replica_runs_it_and_another_one_when_that_is_lost()
    {
        var runs = new Runs();
        await using var cluster = await StartAsync(runs);
        await Wait.UntilAsync(() => runs.Running.Count == 1, "the service");
        var (first, firstLease) = runs.Running.Single();
        Assert.True(await firstLease.VerifyAsync());

        await cluster.CutOffAsync(cluster[Index(first)]);

        await Wait.UntilAsync(() => runs.Running.Count == 1 && runs.Running.Single().Key != first, "the next one, and the end of the first");
        var (next, nextLease) = runs.Running.Single();
        Assert.True(nextLease.Number > firstLease.Number);
        Assert.True(firstLease.Lost.IsCancellationRequested);
        Assert.False(await firstLease.VerifyAsync());
        Assert.True(await nextLease.VerifyAsync());
        Assert.NotEqual(first, next);
    }

    [Fact]
    public async Task A_replica_that_stops_gives_it_to_another_one_and_never_do_two_run()
    {
        var runs = new Runs();
        await using var cluster = await StartAsync(runs);
        await Wait.UntilAsync(() => runs.Running.Count == 1, "the service");
        var first = runs.Running.Single().Key;

        await cluster[Index(first)].StopAsync();

        await Wait.UntilAsync(() => runs.Running.Count == 1 && runs.Running.Single().Key != first, "the next one");
        Assert.Equal(1, runs.Most);
    }

    [Fact]
    public async Task A_service_that_fails_is_started_again()
    {
        var runs = new Runs { FailFirst = true };
        await using var cluster = await StartAsync(runs, replicas: 1);
        cluster.ErrorsExpected = true;
        await Wait.UntilAsync(() => runs.Running.Count == 1 && runs.Starts == 2, "the second start");
        Assert.Contains("Cluster service", Assert.Single(cluster[0].Errors), StringComparison.Ordinal);
    }

    private static int Index(string replica) => replica[^1] - 'a';

    private static Task<InProcessCluster> StartAsync(Runs runs, int replicas = 3) => InProcessCluster.StartAsync(
        replicas,
        clusterOptions: cluster => cluster.HeartbeatInterval = TimeSpan.FromMilliseconds(100),
        server: mcp => mcp.Services.AddSingleton(runs),
        ha: ha => ha.AddClusterService<Ticker>());

    private sealed class Runs
    {
        private readonly Lock _gate = new();
        private int _starts;

        public ConcurrentDictionary<string, ClusterLease> Running { get; } = new();

        public bool FailFirst { get; init; }

        public int Starts => Volatile.Read(ref _starts);

        public int Most { get; private set; }

        public bool Begin(string replica, ClusterLease lease)
        {
            lock (_gate)
            {
                Running[replica] = lease;
                Most = Math.Max(Most, Running.Count);
            }

            return Interlocked.Increment(ref _starts) == 1 && FailFirst;
        }
    }

    private sealed class Ticker(Runs runs, ClusterLease lease, ISelfReplica self) : BackgroundService
    {
        protected override async Task ExecuteAsync(CancellationToken stoppingToken)
        {
            try
            {
                if (runs.Begin(self.Id, lease))
                    throw new InvalidOperationException("on purpose");
                await Task.Delay(Timeout.Infinite, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
            finally
            {
                runs.Running.TryRemove(self.Id, out _);
            }
        }
    }
}

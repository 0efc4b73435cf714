using System.Net;

namespace McpHa.Tests;

/// <summary><c>up</c> while it runs: one cluster of real processes for all of these tests. What they kill comes back.</summary>
public sealed class RunningClusterTests(RunningClusterTests.Running running) : IClassFixture<RunningClusterTests.Running>, IDisposable
{
    private readonly HttpClient _http = new() { Timeout = Wait.Limit };

    public void Dispose() => _http.Dispose();

    [Fact]
    public async Task All_that_cluster_json_names_is_alive_and_healthy()
    {
        var cluster = await CompleteAsync();

        var state = cluster.State;

        Assert.Equal(cluster.Endpoint, state.Endpoint);
        Assert.Equal(2, state.Replicas.Count);
        Assert.Equal([cluster.Port, cluster.Port + 1], state.Balancers.Select(balancer => balancer.Url.Port));
        Assert.NotNull(state.Redis?.Pid);
        Assert.Null(state.Dashboard);
        Assert.All(state.ProcessIds, process => Assert.True(Processes.IsAlive(process)));
        foreach (var url in state.Replicas.Select(replica => replica.Url).Concat(state.Balancers.Select(balancer => balancer.Url)))
            Assert.Equal(HttpStatusCode.OK, (await _http.GetAsync(new Uri(url, "/health"))).StatusCode);
        Assert.Contains($"ready {cluster.Endpoint}\n", cluster.Output + "\n", StringComparison.Ordinal);
    }

    [Fact]
    public async Task Nginx_hands_requests_to_one_replica_after_the_other_and_replicas_keep_their_addresses()
    {
        Assert.SkipWhen(LabCluster.NginxUnavailable is not null, LabCluster.NginxUnavailable ?? "");
        var cluster = await CompleteAsync();
        var before = cluster.State;

        Assert.True(Processes.IsAlive(before.Nginx!.Pid));
        Assert.Contains($"{before.Nginx.Url.GetLeftPart(UriPartial.Authority)}\n", cluster.Output, StringComparison.Ordinal);
        for (var request = 0; request < 4; request++)
            Assert.Equal(HttpStatusCode.OK, (await _http.GetAsync(new Uri(before.Nginx.Url, "/health"))).StatusCode);

        // While one balancer is down the other one serves.
        cluster.Kill(before.Replicas[0].Id);
        for (var request = 0; request < 4; request++)
            Assert.Equal(HttpStatusCode.OK, (await _http.GetAsync(new Uri(before.Nginx.Url, "/health"))).StatusCode);

        var after = await cluster.WaitForAsync(state => state.Replicas.Count == 2 && state.Replicas.All(r => r.Id != before.Replicas[0].Id), "another replica in its place");
        Assert.Equal(before.Replicas.Select(replica => replica.Url.Port).Order(), after.Replicas.Select(replica => replica.Url.Port).Order());
    }

    [Fact]
    public async Task A_killed_replica_is_replaced_by_a_new_one_with_another_id()
    {
        var cluster = await CompleteAsync();
        var victim = cluster.State.Replicas[0];
        var other = cluster.State.Replicas[1];

        cluster.Kill(victim.Id);

        await cluster.WaitForAsync(state => state.Replicas.Count == 1 && state.Replicas[0] == other, "the dead replica to be taken out");
        var replaced = await cluster.WaitForAsync(state => state.Replicas.Count == 2, "another one in its place");
        var replacement = replaced.Replicas.Single(replica => replica != other);
        Assert.NotEqual(victim.Id, replacement.Id);
        Assert.NotEqual(victim.Pid, replacement.Pid);
        Assert.False(Processes.IsAlive(victim.Pid));
        Assert.True(Processes.IsAlive(replacement.Pid));
        var log = await File.ReadAllTextAsync(Path.Combine(cluster.Folder, ".lab", "logs", $"{victim.Id[..victim.Id.LastIndexOf('-')]}.log"));
        Assert.Contains($"--- {victim.Id} (pid {victim.Pid}) was killed\n--- {replacement.Id} (pid {replacement.Pid}) started", log, StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.OK, (await _http.GetAsync(new Uri(replacement.Url, "/health"))).StatusCode);
    }

    [Fact]
    public async Task A_balancer_and_Redis_that_die_come_back_at_their_addresses()
    {
        var cluster = await CompleteAsync();
        var before = cluster.State;

        Processes.Send(before.Balancers[0].Pid, Processes.SigKill);
        Processes.Send(before.Redis!.Pid!.Value, Processes.SigKill);

        var after = await cluster.WaitForAsync(
            state => state.Balancers.Count == 2 && state.Balancers.All(balancer => balancer.Pid != before.Balancers[0].Pid)
                && state.Redis?.Pid is { } redis && redis != before.Redis.Pid,
            "balancer and Redis to be back");
        Assert.Equal(before.Balancers.Select(balancer => balancer.Url.Port).Order(), after.Balancers.Select(balancer => balancer.Url.Port).Order());
        Assert.Equal(before.Redis.ConnectionString, after.Redis!.ConnectionString);
    }

    [Fact]
    public async Task A_second_cluster_in_the_same_directory_is_refused()
    {
        var cluster = await CompleteAsync();

        var (exitCode, output) = await LabCluster.StartAndFailAsync(new() { Replicas = 1, Folder = cluster.Folder });

        Assert.Equal(1, exitCode);
        Assert.Contains("Another cluster runs", output, StringComparison.Ordinal);
        Assert.Equal(2, cluster.State.Replicas.Count);
    }

    private Task<LabCluster> CompleteAsync() => running.CompleteAsync();

    /// <summary>Two replicas, two balancers, and an nginx in front of the replicas.</summary>
    public sealed class Running : IAsyncLifetime
    {
        private LabCluster? _cluster;

        public async ValueTask InitializeAsync()
        {
            if (LabCluster.Unavailable is null)
                _cluster = await LabCluster.StartAsync(new() { Replicas = 2, Balancers = 2, Nginx = LabCluster.NginxUnavailable is null ? "replicas" : null });
        }

        public async ValueTask DisposeAsync()
        {
            if (_cluster is not null)
                await _cluster.DisposeAsync();
        }

        /// <summary>The cluster with all its processes; skips the test where there can be none.</summary>
        public async Task<LabCluster> CompleteAsync()
        {
            Assert.SkipWhen(LabCluster.Unavailable is not null, LabCluster.Unavailable ?? "");
            await _cluster!.WaitForAsync(
                state => state is { Replicas.Count: 2, Balancers.Count: 2, Redis.Pid: not null } && state.ProcessIds.All(Processes.IsUp), "all processes to be up");
            return _cluster;
        }
    }
}

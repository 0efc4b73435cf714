using Mcp.HighAvailability.Lab.Bench.Server;

namespace Mcp.HighAvailability.Lab.Bench.Subjects;

/// <summary>Starts the processes of subjects. Proxies that are compared stand in front of the same replicas.</summary>
internal sealed class SubjectProcesses(BenchProcesses processes, OtherBuild? other, CancellationToken cancellationToken)
{
    private const string Durable = "Durable";

    private Cluster? _one;
    private Cluster? _three;

    public Task<Running> ServerAsync(ServerKind kind) => processes.StartServerAsync(kind, null, Durable, cancellationToken);

    public Task<Running> NginxAsync(Cluster cluster) => processes.StartNginxAsync(cluster.Servers, cancellationToken);

    public Task<Running> YarpAsync(Cluster cluster) => processes.StartYarpAsync(cluster.Servers, cancellationToken);

    public Task<Running> BalancerAsync(Cluster cluster) => processes.StartBalancerAsync(cluster.Redis, cancellationToken);

    /// <summary>The shared single replica, alone or behind a proxy.</summary>
    public async Task<Subject> OneReplicaAsync(SubjectPlan plan, Func<Cluster, Task<Running>>? proxy = null)
    {
        _one ??= await StartAsync(ServerKind.Ha, 1);
        return new(plan, _one.Servers, _one.Redis, proxy is null ? null : await proxy(_one));
    }

    /// <summary>The shared three replicas behind a proxy.</summary>
    public async Task<Subject> ThreeReplicasAsync(SubjectPlan plan, Func<Cluster, Task<Running>> proxy)
    {
        _three ??= await StartAsync(ServerKind.Ha, 3);
        return new(plan, _three.Servers, _three.Redis, await proxy(_three));
    }

    /// <summary>Three servers with the SDK's own parts on Redis, behind nginx.</summary>
    public async Task<Subject> SdkHaAsync(SubjectPlan plan)
    {
        var cluster = await StartAsync(ServerKind.SdkHa, 3);
        return new(plan, cluster.Servers, cluster.Redis, await NginxAsync(cluster));
    }

    /// <summary>A replica of its own that differs from the shared one in a single thing.</summary>
    public async Task<Subject> OtherReplicaAsync(SubjectPlan plan, string durability = Durable, TelemetryUse telemetry = TelemetryUse.Off, bool isOther = false)
    {
        var cluster = await StartAsync(ServerKind.Ha, 1, durability, telemetry, isOther ? other : null);
        return new(plan, cluster.Servers, cluster.Redis);
    }

    // Each cluster has a Redis of its own, so that replicas of two clusters do not find each other.
    private async Task<Cluster> StartAsync(
        ServerKind kind, int servers, string durability = Durable, TelemetryUse telemetry = TelemetryUse.Off, OtherBuild? build = null)
    {
        var redis = await processes.StartRedisAsync(cancellationToken);
        var cluster = new Cluster(redis, []);
        for (var n = 0; n < servers; n++)
            cluster.Servers.Add(await processes.StartServerAsync(kind, redis, durability, cancellationToken, telemetry, build));
        return cluster;
    }

    /// <summary>Servers that share a Redis.</summary>
    internal sealed record Cluster(Running Redis, List<Running> Servers);
}

using Mcp.HighAvailability.Lab.Bench.Load;
using Mcp.HighAvailability.Lab.Processes;

namespace Mcp.HighAvailability.Lab.Bench.Failures;

/// <summary>Three replicas of the sample server and a balancer, to lose replicas of.</summary>
internal sealed class SampleCluster(BenchProcesses processes, Running redis, Running balancer)
{
    public const int Size = 3;

    // The first calls of a process are slow: the runtime compiles what they need.
    private const int WarmUpCalls = 50;

    private readonly List<Running> _replicas = [];
    private int _next;

    public Running Redis => redis;

    public Running Balancer => balancer;

    public IReadOnlyList<Running> Replicas => _replicas;

    public static async Task<SampleCluster> StartAsync(BenchProcesses processes, CancellationToken cancellationToken)
    {
        var redis = await processes.StartRedisAsync(cancellationToken);
        var cluster = new SampleCluster(processes, redis, await processes.StartBalancerAsync(redis, cancellationToken));
        await cluster.FillAsync(cancellationToken);
        return cluster;
    }

    /// <summary>Starts replicas until there are three.</summary>
    public async Task FillAsync(CancellationToken cancellationToken)
    {
        while (_replicas.Count < Size)
        {
            var replica = await processes.StartSampleAsync(redis, cancellationToken);
            using var session = await RawSession.OpenAsync(replica.Endpoint, cancellationToken);
            for (var n = 0; n < WarmUpCalls; n++)
                await session.CallAsync($"{n}", "echo", """{"text":"hello"}""", cancellationToken);
            _replicas.Add(replica);
        }
    }

    /// <summary>A replica to lose: each has its turn.</summary>
    public Running Next() => _replicas[_next++ % _replicas.Count];

    /// <summary>Removes a lost replica for good.</summary>
    public async Task RemoveAsync(Running replica)
    {
        replica.Process.Send(Signal.Kill);
        await replica.Process.Exited;
        _replicas.Remove(replica);
    }
}

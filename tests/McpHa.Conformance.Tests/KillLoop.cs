namespace McpHa.Tests.Conformance;

/// <summary><c>kill -9</c> to one replica after the other, every two seconds; Lab starts another in its place.</summary>
internal sealed class KillLoop : IAsyncDisposable
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(2);

    private readonly CancellationTokenSource _stopping = new();
    private readonly Task _running;

    public KillLoop(LabCluster cluster) => _running = RunAsync(cluster);

    public int Kills { get; private set; }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _running;
        _stopping.Dispose();
    }

    private async Task RunAsync(LabCluster cluster)
    {
        using var timer = new PeriodicTimer(Interval);
        try
        {
            do
            {
                // Without a replica every suite fails. On a slow machine the next one takes longer to start.
                var alive = cluster.State.Replicas.Where(replica => Processes.IsUp(replica.Pid)).ToList();
                if (alive.Count < 3)
                    continue;
                cluster.Kill(alive[Kills++ % alive.Count].Id);
            }
            while (await timer.WaitForNextTickAsync(_stopping.Token));
        }
        catch (OperationCanceledException)
        {
            // Enough.
        }
    }
}

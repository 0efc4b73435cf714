using Mcp.HighAvailability.Affinity;
using Mcp.HighAvailability.Cluster;
using Mcp.HighAvailability.Storage;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using ModelContextProtocol.Server;

namespace Mcp.HighAvailability.Tasks;

/// <summary>Takes over the tasks of lost replicas, without a client that asks, and looks after this replica's own.</summary>
/// <remarks>
/// Every replica sees the same lost owners and chooses the same successor for each task. Where they see different things for a moment, the store lets one
/// of them win. While the store is away there is no take-over.
/// </remarks>
internal sealed partial class TaskTakeOver(
    ITaskStore store,
    TaskHost host,
    TaskPolicy policy,
    IOptions<McpServerOptions> server,
    TaskNotices notices,
    TaskMetrics metrics,
    ReplicaDirectory directory,
    SelfReplica self,
    IOptions<ClusterOptions> cluster,
    IOptions<HighAvailabilityOptions> ha,
    TimeProvider time,
    ILogger<TaskTakeOver> logger) : BackgroundService
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan SweepInterval = TimeSpan.FromSeconds(30);
    private const int AtOnce = 16;

    private readonly HashSet<string> _met = new(StringComparer.Ordinal);
    private readonly Dictionary<string, long> _missing = new(StringComparer.Ordinal);

    // Tasks of this replica that nothing works on, and since when.
    private readonly Dictionary<string, long> _idle = new(StringComparer.Ordinal);
    private TaskCompletionSource _wake = NewWake();
    private long? _swept;
    private long? _draining;

    public override Task StartAsync(CancellationToken cancellationToken)
    {
        metrics.Observe(() => host.Running.Count);
        return base.StartAsync(cancellationToken);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (!policy.IsUsed(server.Value))
            return;
        notices.Freed += Wake;
        notices.Touched += Refresh;
        try
        {
            while (!stoppingToken.IsCancellationRequested)
            {
                // Before the look, so that a change meanwhile leads to another one.
                var changed = directory.Changed;
                Interlocked.Exchange(ref _wake, NewWake());
                try
                {
                    await LookAsync(stoppingToken);
                }
                catch (StoreUnavailableException e)
                {
                    LogLater(e.Message);
                }
                catch (Exception e)
                {
                    if (stoppingToken.IsCancellationRequested)
                        return;
                    LogFailed(e);
                }

                using var enough = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken);
                await Task.WhenAny(changed, Volatile.Read(ref _wake).Task, Task.Delay(NextLook, time, enough.Token));
                await enough.CancelAsync();
            }
        }
        finally
        {
            notices.Freed -= Wake;
            notices.Touched -= Refresh;
        }
    }

    private TimeSpan NextLook => _missing.Count > 0 ? cluster.Value.HeartbeatInterval : Interval;

    private async Task LookAsync(CancellationToken cancellationToken)
    {
        var alive = directory.Alive;
        if (directory.RegistryAway || directory.Find(self.Id) is null)
            return;
        _met.UnionWith(alive.Select(replica => replica.Id));
        var owners = await store.OwnersAsync(cancellationToken);
        foreach (var owner in owners)
        {
            if (owner != self.Id && IsLost(owner))
                await TakeOverAsync(owner, alive, cancellationToken);
        }

        await LookAfterOwnAsync(cancellationToken);
        foreach (var gone in _missing.Keys.Except(owners).ToList())
            _missing.Remove(gone);
        _met.IntersectWith(owners.Concat(alive.Select(replica => replica.Id)));
        await DrainAsync(alive);
        if (_swept is not { } swept || time.GetElapsedTime(swept) >= SweepInterval)
        {
            _swept = time.GetTimestamp();
            while (await store.SweepAsync(cancellationToken) == TaskStoreLimits.SweepBatch)
            {
                // There is more.
            }
        }
    }

    // An owner that was never seen alive may have started just now, and its first heartbeat may still be on its way.
    private bool IsLost(string owner)
    {
        if (owner == TaskOwners.None)
            return true;
        if (directory.Find(owner) is not null)
        {
            _missing.Remove(owner);
            return false;
        }

        if (_met.Contains(owner))
            return true;
        if (_missing.TryGetValue(owner, out var since))
            return time.GetElapsedTime(since) >= cluster.Value.Overdue;
        _missing[owner] = time.GetTimestamp();
        return false;
    }

    private async Task TakeOverAsync(string owner, IReadOnlyList<ReplicaInfo> alive, CancellationToken cancellationToken)
    {
        // When all replicas drain, tasks wait for the next ones. The directory hears of this replica's own drain with its next heartbeat only.
        var candidates = alive.Where(replica => !(replica.Id == self.Id ? self.Draining : replica.Draining)).ToList();
        var tasks = (await store.OwnedAsync(owner, cancellationToken)).Where(task => Rendezvous.Choose(task, candidates)?.Id == self.Id).ToList();
        var taken = 0;
        await Parallel.ForEachAsync(tasks, new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = cancellationToken },
            async (task, cancellation) =>
        {
            if (await store.ClaimAsync(task, owner, self.Id, cancellation) is not { } claimed)
            {
                await store.ForgetAsync(task, owner, cancellation);
                return;
            }

            Interlocked.Increment(ref taken);
            metrics.TakenOver();
            await host.TakeUpAsync(claimed);
        });
        if (taken > 0)
            LogTaken(taken, owner);
    }

    private async Task LookAfterOwnAsync(CancellationToken cancellationToken)
    {
        var running = host.Running;
        HashSet<string> owned = [.. await store.OwnedAsync(self.Id, cancellationToken)];
        await TakeUpIdleAsync(owned, cancellationToken);

        // Those that were running before the look, and that the store does not list.
        await TaskHost.WriteBackAsync(running.Where(task => !owned.Contains(task.Id)), cancellationToken);
        var parallel = new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = cancellationToken };
        await Parallel.ForEachAsync(host.Running, parallel, async (task, cancellation) =>
        {
            task.KeepAlive();
            await task.RefreshAsync(cancellation);
        });
    }

    // Of a creation, a claim or a change whose answer did not come. A task that is idle for a moment is just being created or claimed.
    private async Task TakeUpIdleAsync(HashSet<string> owned, CancellationToken cancellationToken)
    {
        foreach (var gone in _idle.Keys.Where(task => !owned.Contains(task) || host.Has(task)).ToList())
            _idle.Remove(gone);
        foreach (var task in owned.Where(task => !host.Has(task)))
        {
            if (_idle.TryAdd(task, time.GetTimestamp()) || time.GetElapsedTime(_idle[task]) < Interval)
                continue;
            _idle.Remove(task);
            if (await store.ClaimAsync(task, self.Id, self.Id, cancellationToken) is { } claimed)
                await host.TakeUpAsync(claimed);
            else
                await store.ForgetAsync(task, self.Id, cancellationToken);
        }
    }

    // For an operator. A process that ends drains by itself.
    private async Task DrainAsync(IReadOnlyList<ReplicaInfo> alive)
    {
        if (!self.Draining || !alive.Any(replica => !replica.Draining))
        {
            _draining = null;
            return;
        }

        var since = _draining ??= time.GetTimestamp();
        if (time.GetElapsedTime(since) >= ha.Value.DrainTimeout / TaskDrain.Quarters)
            await host.HandOverAsync();
    }

    private void Wake(string taskId) => Volatile.Read(ref _wake).TrySetResult();

    private void Refresh(string taskId)
    {
        if (host.Has(taskId))
            _ = RefreshAsync(taskId);
    }

    private async Task RefreshAsync(string taskId)
    {
        try
        {
            await host.RefreshAsync(taskId, CancellationToken.None);
        }
        catch (Exception e)
        {
            // The next look does it.
            LogLater(e.Message);
        }
    }

    private static TaskCompletionSource NewWake() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    [LoggerMessage(Level = LogLevel.Information, Message = "Took over tasks from {Owner}. Tasks: {Count}.")]
    private partial void LogTaken(int count, string owner);

    [LoggerMessage(Level = LogLevel.Debug, Message = "The check of tasks waits for the store: {Reason}")]
    private partial void LogLater(string reason);

    [LoggerMessage(Level = LogLevel.Error, Message = "The check of tasks failed. The next check follows.")]
    private partial void LogFailed(Exception exception);
}

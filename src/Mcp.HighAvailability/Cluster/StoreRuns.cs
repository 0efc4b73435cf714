using Mcp.HighAvailability.Storage;

namespace Mcp.HighAvailability.Cluster;

/// <summary>The runs of the store that one process has seen, and whether all replicas have checked their sessions in the present one.</summary>
internal sealed class StoreRuns(ClusterOptions options, TimeProvider time)
{
    // Who has not checked its sessions by then is not waited for any longer.
    private static readonly TimeSpan CheckLimit = TimeSpan.FromSeconds(30);

    private TaskCompletionSource _interrupted = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _readAt;
    private int _seen;
    private bool _read;

    /// <summary>The run as of the last reading.</summary>
    public StoreRun? Current { get; private set; }

    /// <summary>Completes at the next <see cref="Interrupt"/>.</summary>
    public Task Interrupted => _interrupted.Task;

    /// <summary>Takes note of what was read.</summary>
    /// <returns>Whether another run has begun since the last reading; not so for the first run that is seen.</returns>
    public bool TakeNote(StoreRun? run)
    {
        var changed = run?.Id != Current?.Id;
        (Current, _readAt, _read) = (run, time.GetTimestamp(), true);
        if (!changed)
            return false;
        _seen++;
        Interrupt();
        return _seen > 1;
    }

    /// <summary>Copies of stored data must be checked again.</summary>
    public void Interrupt() =>
        Interlocked.Exchange(ref _interrupted, new(TaskCreationOptions.RunContinuationsAsynchronously)).TrySetResult();

    /// <summary>
    /// The present run, if all have checked their sessions in it; the empty string where nothing can be lost; <see langword="null"/> when it cannot
    /// be told.
    /// </summary>
    /// <param name="others">All replicas that are alive, and those of which it is not known, without this process's own.</param>
    public string? Settled(IEnumerable<ReplicaInfo> others)
    {
        if (!_read)
            return null;
        if (Current is not { } run)
            return "";

        // In the first run that it sees a process may not have heard of all others yet.
        var age = run.Age + time.GetElapsedTime(_readAt);
        if (age > CheckLimit)
            return run.Id;
        return (_seen > 1 || age > options.Overdue + options.HeartbeatInterval) && others.All(replica => replica.Checked == run.Id) ? run.Id : null;
    }
}

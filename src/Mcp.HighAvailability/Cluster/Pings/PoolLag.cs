namespace Mcp.HighAvailability.Cluster;

/// <summary>How late the thread pool of this process is: how long a work item waits for a thread. Measures only when it is asked.</summary>
/// <remarks>One caller at a time.</remarks>
/// <param name="time">The clock.</param>
/// <param name="queue">Queues a work item; by default to the thread pool.</param>
internal sealed class PoolLag(TimeProvider time, Action<IThreadPoolWorkItem>? queue = null) : IThreadPoolWorkItem
{
    // A measurement counts for this long.
    private static readonly TimeSpan Recent = TimeSpan.FromSeconds(1);

    private readonly Action<IThreadPoolWorkItem> _queue = queue ?? (static item => ThreadPool.UnsafeQueueUserWorkItem(item, preferLocal: false));
    private long _queued;
    private long _measured;
    private long _measuredAt;

    /// <summary>The wait of the work item that waits now, or the one before it. Zero if none was measured lately.</summary>
    public TimeSpan Look()
    {
        var now = time.GetTimestamp();
        var queued = Volatile.Read(ref _queued);
        var measured = Volatile.Read(ref _measured) is > 0 and var ticks && time.GetElapsedTime(Volatile.Read(ref _measuredAt), now) < Recent
            ? time.GetElapsedTime(0, ticks)
            : TimeSpan.Zero;
        if (queued != 0)
            return time.GetElapsedTime(queued, now) is var waits && waits > measured ? waits : measured;
        Volatile.Write(ref _queued, now);
        _queue(this);
        return measured;
    }

    void IThreadPoolWorkItem.Execute()
    {
        var now = time.GetTimestamp();
        Volatile.Write(ref _measured, now - Volatile.Read(ref _queued));
        Volatile.Write(ref _measuredAt, now);
        Volatile.Write(ref _queued, 0);
    }
}

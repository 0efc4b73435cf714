namespace McpHa.Tests;

/// <summary>A clock that stands still until the explorer lets it go on.</summary>
internal sealed class ManualTime : TimeProvider
{
    private readonly List<ManualTimer> _timers = [];
    private long _now;

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override long GetTimestamp() => Volatile.Read(ref _now);

    public override DateTimeOffset GetUtcNow() => DateTimeOffset.UnixEpoch.AddTicks(GetTimestamp());

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = new ManualTimer(this, callback, state);
        timer.Change(dueTime, period);
        return timer;
    }

    /// <summary>Goes on to the moment when the next timer is due, and lets it fire. <see langword="false"/>: none is set.</summary>
    public bool Next()
    {
        ManualTimer? next;
        lock (_timers)
        {
            next = _timers.MinBy(t => t.Due);
            if (next is null)
                return false;
            Volatile.Write(ref _now, Math.Max(_now, next.Due));
            if (next.Period > 0)
                next.Due = _now + next.Period;
            else
                _timers.Remove(next);
        }

        next.Fire();
        return true;
    }

    public void Advance(TimeSpan time) => Interlocked.Add(ref _now, time.Ticks);

    private sealed class ManualTimer(ManualTime time, TimerCallback callback, object? state) : ITimer
    {
        public long Due;
        public long Period;

        public void Fire() => ThreadPool.UnsafeQueueUserWorkItem(_ => callback(state), null);

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            lock (time._timers)
            {
                time._timers.Remove(this);
                if (dueTime < TimeSpan.Zero)
                    return true;
                (Due, Period) = (time._now + Math.Max(1, dueTime.Ticks), period > TimeSpan.Zero ? period.Ticks : 0);
                time._timers.Add(this);
            }

            return true;
        }

        public void Dispose()
        {
            lock (time._timers)
                time._timers.Remove(this);
        }

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }
}

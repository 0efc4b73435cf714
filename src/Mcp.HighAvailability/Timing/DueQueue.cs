namespace Mcp.HighAvailability.Timing;

/// <summary>Items that are due at some time, the soonest first. The work of a look depends on what is due, not on what waits. Thread-safe.</summary>
internal sealed class DueQueue<T>(TimeProvider time) where T : class
{
    private const int MinCleared = 1024;

    private readonly Lock _gate = new();
    private readonly PriorityQueue<Due<T>, long> _queue = new();
    private int _count;
    private int _removed;

    /// <summary>Items that were added and not removed, also while they are taken.</summary>
    public int Count => Volatile.Read(ref _count);

    /// <summary>Adds an item.</summary>
    /// <param name="item">The item.</param>
    /// <param name="delay">When it is due.</param>
    public Due<T> Add(T item, TimeSpan delay)
    {
        Interlocked.Increment(ref _count);
        var due = new Due<T>(item);
        Again(due, delay);
        return due;
    }

    /// <summary>Puts an item back that was taken. Does nothing if it was removed meanwhile.</summary>
    public void Again(Due<T> due, TimeSpan delay)
    {
        var at = time.GetTimestamp() + (long)(delay.TotalSeconds * time.TimestampFrequency);
        lock (_gate)
            _queue.Enqueue(due, at);
    }

    /// <summary>Removes an item.</summary>
    public void Remove(Due<T> due)
    {
        if (!due.Remove())
            return;
        Interlocked.Decrement(ref _count);
        lock (_gate)
        {
            // Empty places are small, and go when they are due. When they are most of the queue they go at once.
            if (++_removed < Math.Max(MinCleared, _queue.Count / 2))
                return;
            _removed = 0;
            var left = _queue.UnorderedItems.Where(static entry => entry.Element.Item is not null).ToArray();
            _queue.Clear();
            _queue.EnqueueRange(left);
        }
    }

    /// <summary>Takes the next item that is due, until <see cref="Again"/> or <see cref="Remove"/>. <see langword="null"/> if there is none.</summary>
    public Due<T>? TryTake()
    {
        var now = time.GetTimestamp();
        lock (_gate)
        {
            while (_queue.TryPeek(out var due, out var at) && at <= now)
            {
                _queue.Dequeue();
                if (due.Item is not null)
                    return due;
            }

            return null;
        }
    }
}

using System.Collections.Concurrent;

namespace McpHa.HighAvailability.Sessions;

/// <summary>
/// Gives a call that may be run again a moment to finish before its beginning is written: a quick call then costs one commit
/// instead of two. One timer per process, running only while something waits.
/// </summary>
/// <remarks>
/// Safe because such a call has shown nothing yet, and loses nothing by being run again: whoever asks again asks with the same request.
/// </remarks>
internal sealed class LazyFlusher : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(2);

    private readonly ConcurrentQueue<(CommitQueue Queue, CommitBatch Batch)> _waiting = new();
    private readonly TimeProvider _time;
    private readonly ITimer _timer;
    private int _armed;

    public LazyFlusher(TimeProvider time)
    {
        _time = time;
        _timer = time.CreateTimer(static s => ((LazyFlusher)s!).Tick(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    public void Add(CommitQueue queue, CommitBatch batch)
    {
        _waiting.Enqueue((queue, batch));
        Arm();
    }

    public void Dispose() => _timer.Dispose();

    private void Arm()
    {
        if (Interlocked.Exchange(ref _armed, 1) == 0)
            _timer.Change(Patience, Timeout.InfiniteTimeSpan);
    }

    private void Tick()
    {
        Volatile.Write(ref _armed, 0);
        while (_waiting.TryPeek(out var next))
        {
            if (_time.GetElapsedTime(next.Batch.Opened) < Patience / 2)
            {
                Arm();
                return;
            }

            if (_waiting.TryDequeue(out next))
                next.Queue.Flush(next.Batch);
        }
    }
}

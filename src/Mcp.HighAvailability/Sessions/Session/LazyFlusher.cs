using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Mcp.HighAvailability.Sessions;

/// <summary>
/// Gives a call that may be run again a moment to finish before its beginning is written: a quick call then costs one commit
/// instead of two. One timer per process, running only while something waits.
/// </summary>
/// <remarks>
/// <para>Safe because such a call has shown nothing yet, and loses nothing by being run again: a relay repeats the same request.</para>
/// <para>The moment is longer than quick calls take just then: a busy process would otherwise write twice for each of them, and be
/// busier still.</para>
/// </remarks>
internal sealed partial class LazyFlusher : IDisposable
{
    private static readonly TimeSpan MinDelay = TimeSpan.FromMilliseconds(2);
    private static readonly TimeSpan MaxDelay = TimeSpan.FromMilliseconds(20);

    // Share of the newest call in the average.
    private const int Smoothing = 32;

    private readonly ConcurrentQueue<(SessionRunner Session, CommitBatch Batch)> _waiting = new();
    private readonly TimeProvider _time;
    private readonly ITimer _timer;
    private readonly ILogger _logger;
    private readonly long _maxTicks;
    private int _armed;
    private long _typical;

    public LazyFlusher(TimeProvider time, ILogger<LazyFlusher>? logger = null)
    {
        _time = time;
        _logger = logger ?? NullLogger<LazyFlusher>.Instance;
        _maxTicks = (long)(MaxDelay.TotalSeconds * time.TimestampFrequency);
        _timer = time.CreateTimer(static s => ((LazyFlusher)s!).Tick(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    public void Add(SessionRunner session, CommitBatch batch)
    {
        _waiting.Enqueue((session, batch));
        Arm();
    }

    /// <summary>Takes note of how long a call has taken from its beginning to its answer.</summary>
    public void Ended(CommitBatch beginning)
    {
        var taken = _time.GetTimestamp() - beginning.Opened;
        // Two that come at the same time may overwrite each other: it is an average.
        if (taken < _maxTicks)
            Volatile.Write(ref _typical, Volatile.Read(ref _typical) + ((taken - Volatile.Read(ref _typical)) / Smoothing));
    }

    public void Dispose() => _timer.Dispose();

    private TimeSpan Moment()
    {
        // The wait is half of it at the least, and most calls shall have ended by then.
        var enough = TimeSpan.FromSeconds(4d * Volatile.Read(ref _typical) / _time.TimestampFrequency);
        return enough < MinDelay ? MinDelay : enough < MaxDelay ? enough : MaxDelay;
    }

    private void Arm()
    {
        if (Interlocked.Exchange(ref _armed, 1) == 0)
            _timer.Change(Moment(), Timeout.InfiniteTimeSpan);
    }

    private void Tick()
    {
        Volatile.Write(ref _armed, 0);
        var least = Moment() / 2;
        while (_waiting.TryPeek(out var next))
        {
            if (_time.GetElapsedTime(next.Batch.Opened) < least)
            {
                Arm();
                return;
            }

            if (!_waiting.TryDequeue(out next))
                continue;
            try
            {
                next.Session.Run(next.Batch, static (core, batch) =>
                {
                    core.Commits.Flush(batch);
                    return true;
                });
            }
            catch (Exception e)
            {
                LogFailed(e, next.Session.SessionId);
            }
        }
    }

    [LoggerMessage(
        Level = LogLevel.Error,
        Message = "Session {SessionId}: the start of a call could not be journaled. It is written with the session's next commit.")]
    private partial void LogFailed(Exception exception, string sessionId);
}

using Microsoft.Extensions.Logging;

namespace Mcp.HighAvailability.Timing;

/// <summary>Calls back for each item when it is due, over and over. One timer for all items, which runs while there are any.</summary>
internal sealed partial class DueTimer<T> : IDisposable where T : class
{
    private readonly DueQueue<T> _queue;
    private readonly TimeSpan _period;
    private readonly Func<T, TimeSpan> _onDue;
    private readonly ILogger _logger;
    private readonly ITimer _timer;
    private int _runs;

    /// <param name="time">The clock.</param>
    /// <param name="period">How exact the times are.</param>
    /// <param name="onDue">Called for an item that is due. Returns when it is due next.</param>
    /// <param name="logger">For faults of the callback.</param>
    public DueTimer(TimeProvider time, TimeSpan period, Func<T, TimeSpan> onDue, ILogger logger)
    {
        (_queue, _period, _onDue, _logger) = (new(time), period, onDue, logger);
        _timer = time.CreateTimer(static timer => ((DueTimer<T>)timer!).Tick(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Adds an item.</summary>
    public Due<T> Add(T item, TimeSpan delay)
    {
        var due = _queue.Add(item, delay);
        Run();
        return due;
    }

    /// <summary>Removes an item.</summary>
    public void Remove(Due<T> due) => _queue.Remove(due);

    public void Dispose() => _timer.Dispose();

    private void Tick()
    {
        while (_queue.TryTake() is { } due)
        {
            var next = _period;
            try
            {
                if (due.Item is { } item)
                    next = _onDue(item);
            }
            catch (Exception e)
            {
                LogFailed(e, typeof(T).Name);
            }

            _queue.Again(due, next);
        }

        if (_queue.Count > 0)
        {
            _timer.Change(_period, Timeout.InfiniteTimeSpan);
            return;
        }

        Interlocked.Exchange(ref _runs, 0);
        if (_queue.Count > 0)
            Run(); // an item was added at this very moment
    }

    private void Run()
    {
        if (Volatile.Read(ref _runs) == 0 && Interlocked.Exchange(ref _runs, 1) == 0)
            _timer.Change(_period, Timeout.InfiniteTimeSpan);
    }

    [LoggerMessage(
        Level = LogLevel.Error,
        Message = "The timer callback of a {Kind} failed. It is called again. Other callbacks are not affected. Report the exception if it returns.")]
    private partial void LogFailed(Exception exception, string kind);
}

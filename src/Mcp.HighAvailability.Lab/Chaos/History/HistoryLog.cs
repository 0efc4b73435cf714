using System.Diagnostics;

namespace Mcp.HighAvailability.Lab.Chaos.History;

/// <summary>Events of a run in order. Many threads append; nothing is removed.</summary>
internal sealed class HistoryLog
{
    private readonly long _started = Stopwatch.GetTimestamp();
    private readonly List<HistoryEvent> _events = [];

    /// <summary>When the run started, for people.</summary>
    public DateTimeOffset StartedAt { get; } = TimeProvider.System.GetUtcNow();

    /// <summary>Time since the start.</summary>
    public TimeSpan Now => Stopwatch.GetElapsedTime(_started);

    /// <summary>Events so far.</summary>
    public int Count
    {
        get
        {
            lock (_events)
                return _events.Count;
        }
    }

    /// <summary>Adds an event that happens now: the log's order is the order of time.</summary>
    public TEvent Add<TEvent>(Func<TimeSpan, TEvent> happened) where TEvent : HistoryEvent
    {
        lock (_events)
        {
            var added = happened(Now);
            _events.Add(added);
            return added;
        }
    }

    /// <summary>All events so far, and none that comes later.</summary>
    public IReadOnlyList<HistoryEvent> Snapshot()
    {
        lock (_events)
            return [.. _events];
    }
}

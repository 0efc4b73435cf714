using System.Numerics;

namespace Mcp.HighAvailability.Diagnostics;

/// <summary>Adds up events that come in large numbers, so that the log gets one line for many of a kind.</summary>
/// <remarks>
/// A line is written when no event of its kind came for a second, and at the latest ten seconds after the first. With spacings, the next lines of the kind
/// follow at greater distances: events that come sooner are gathered until then. The kind begins anew when the last spacing has passed since its last line.
/// Thread-safe.
/// </remarks>
/// <param name="time">Clock.</param>
/// <param name="write">Writes the sum of a kind, with the time between its first and its last event.</param>
/// <param name="spacings">Least time between the first two lines of a kind, between the next two, and so on; ascending. The last is for all further.</param>
internal sealed class LogGathering<TKind, TSum>(TimeProvider time, Action<TKind, TSum, TimeSpan> write, params TimeSpan[] spacings)
    where TKind : notnull
    where TSum : struct, IAdditionOperators<TSum, TSum, TSum>
{
    // Beyond it the kind with the oldest line is forgotten, and events are written without spacing.
    private const int MaxKinds = 64;
    private static readonly TimeSpan Quiet = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan MaxWait = TimeSpan.FromSeconds(10);

    private readonly Lock _gate = new();
    private readonly Dictionary<TKind, Gathered> _open = [];
    private readonly Dictionary<TKind, Written> _written = [];

    /// <summary>Adds an event.</summary>
    public void Add(TKind kind, TSum one)
    {
        var now = time.GetTimestamp();
        Gathered gathered;
        TimeSpan wait;
        lock (_gate)
        {
            if (_open.TryGetValue(kind, out var open))
            {
                open.Sum += one;
                open.Last = now;
                return;
            }

            wait = UntilNextLine(kind);
            _open.Add(kind, gathered = new(now) { Sum = one, Last = now });
        }

        // The line is about all events: it takes neither trace nor log scope from the first one.
        using AsyncFlowControl? flow = ExecutionContext.IsFlowSuppressed() ? null : ExecutionContext.SuppressFlow();
        _ = WriteLaterAsync(kind, gathered, wait);
    }

    private async Task WriteLaterAsync(TKind kind, Gathered gathered, TimeSpan wait)
    {
        do
        {
            await Task.Delay(wait > Quiet ? wait : Quiet, time).ConfigureAwait(false);
            wait = Quiet;
        }
        while (!TryClose(kind, gathered));

        write(kind, gathered.Sum, time.GetElapsedTime(gathered.First, gathered.Last));
    }

    private bool TryClose(TKind kind, Gathered gathered)
    {
        lock (_gate)
        {
            if (time.GetElapsedTime(gathered.Last) < Quiet && time.GetElapsedTime(gathered.First) < MaxWait)
                return false;
            NoteLine(kind);
            return _open.Remove(kind);
        }
    }

    private TimeSpan UntilNextLine(TKind kind)
    {
        if (!_written.TryGetValue(kind, out var last))
            return TimeSpan.Zero;
        if (!IsOver(last))
            return _open.Count < MaxKinds ? spacings[Math.Min(last.Lines, spacings.Length) - 1] - time.GetElapsedTime(last.At) : TimeSpan.Zero;
        _written.Remove(kind);
        return TimeSpan.Zero;
    }

    private void NoteLine(TKind kind)
    {
        if (spacings.Length == 0)
            return;
        var lines = _written.TryGetValue(kind, out var last) ? last.Lines + 1 : 1;
        foreach (var (other, line) in _written)
        {
            if (IsOver(line) && !_open.ContainsKey(other))
                _written.Remove(other);
        }

        if (lines == 1 && _written.Count >= MaxKinds)
            _written.Remove(_written.MinBy(static other => other.Value.At).Key);
        _written[kind] = new(time.GetTimestamp(), lines);
    }

    private bool IsOver(Written last) => time.GetElapsedTime(last.At) >= spacings[^1];

    private readonly record struct Written(long At, int Lines);

    private sealed class Gathered(long first)
    {
        public long First { get; } = first;

        public long Last { get; set; }

        public TSum Sum { get; set; }
    }
}

using System.Numerics;

namespace Mcp.HighAvailability.Diagnostics;

/// <summary>Adds up events that come in large numbers, so that the log gets one line for all of a kind.</summary>
/// <remarks>A kind is written when no event of it came for a second, and every ten seconds while they come. Thread-safe.</remarks>
/// <param name="time">Clock.</param>
/// <param name="write">Writes the sum of a kind, with the time between its first and its last event.</param>
internal sealed class LogGathering<TKind, TSum>(TimeProvider time, Action<TKind, TSum, TimeSpan> write)
    where TKind : notnull
    where TSum : struct, IAdditionOperators<TSum, TSum, TSum>
{
    private static readonly TimeSpan Quiet = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan MaxWait = TimeSpan.FromSeconds(10);

    private readonly Lock _gate = new();
    private readonly Dictionary<TKind, Gathered> _open = [];

    /// <summary>Adds an event.</summary>
    public void Add(TKind kind, TSum one)
    {
        var now = time.GetTimestamp();
        Gathered gathered;
        lock (_gate)
        {
            if (_open.TryGetValue(kind, out var open))
            {
                open.Sum += one;
                open.Last = now;
                return;
            }

            _open.Add(kind, gathered = new(now) { Sum = one, Last = now });
        }

        // The line is about all events: it takes neither trace nor log scope from the first one.
        ThreadPool.UnsafeQueueUserWorkItem(
            static s => _ = s.Self.WriteLaterAsync(s.Kind, s.Gathered), (Self: this, Kind: kind, Gathered: gathered), preferLocal: false);
    }

    private async Task WriteLaterAsync(TKind kind, Gathered gathered)
    {
        do
            await Task.Delay(Quiet, time).ConfigureAwait(false);
        while (!TryClose(kind, gathered));
        write(kind, gathered.Sum, time.GetElapsedTime(gathered.First, gathered.Last));
    }

    private bool TryClose(TKind kind, Gathered gathered)
    {
        lock (_gate)
        {
            if (time.GetElapsedTime(gathered.Last) < Quiet && time.GetElapsedTime(gathered.First) < MaxWait)
                return false;
            return _open.Remove(kind);
        }
    }

    private sealed class Gathered(long first)
    {
        public long First { get; } = first;

        public long Last { get; set; }

        public TSum Sum { get; set; }
    }
}

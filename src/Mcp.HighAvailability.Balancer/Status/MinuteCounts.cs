namespace Mcp.HighAvailability.Balancer.Status;

/// <summary>How often something happened in each minute of the last hour. Thread-safe.</summary>
internal sealed class MinuteCounts(TimeProvider time)
{
    /// <summary>Minutes that are kept, the current one included.</summary>
    public const int Kept = 60;

    private readonly long _started = time.GetTimestamp();
    private readonly Lock _gate = new();
    private readonly long[] _counts = new long[Kept];
    private long _minute;

    /// <summary>Counts events of this moment.</summary>
    public void Add(long count)
    {
        lock (_gate)
        {
            Advance();
            _counts[_minute % Kept] += count;
        }
    }

    /// <summary>The counts, oldest minute first; the last one is the current minute.</summary>
    public long[] Take()
    {
        lock (_gate)
        {
            Advance();
            var counts = new long[Kept];
            for (var age = 0; age < Kept; age++)
                counts[Kept - 1 - age] = _counts[(_minute - age + Kept) % Kept];
            return counts;
        }
    }

    private void Advance()
    {
        var now = (long)time.GetElapsedTime(_started).TotalMinutes;
        for (var minute = Math.Max(_minute + 1, now - Kept + 1); minute <= now; minute++)
            _counts[minute % Kept] = 0;
        _minute = Math.Max(_minute, now);
    }
}

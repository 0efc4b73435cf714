namespace Mcp.HighAvailability.Cluster;

/// <summary>How punctual a timer of this process was: a late timer means that answers are read late, too.</summary>
internal enum TimerPace
{
    /// <summary>The tick counts.</summary>
    OnTime,

    /// <summary>The tick does not count as silence of others.</summary>
    Late,

    /// <summary>This process stood still or had no processor time. The silence of others so far proves nothing.</summary>
    Starved,
}

/// <summary>Judges the ticks of one timer.</summary>
/// <param name="period">Period of the timer.</param>
internal sealed class TimerPaceMeter(TimeSpan period)
{
    private TimeSpan? _last;

    /// <summary>Notes a tick. Callbacks that run in a bunch after a delay do not count either.</summary>
    /// <param name="now">The time of the tick.</param>
    public TimerPace Tick(TimeSpan now)
    {
        var gap = now - (_last ?? now - period);
        _last = now;
        return gap > 4 * period ? TimerPace.Starved : gap > 1.8 * period || gap < 0.5 * period ? TimerPace.Late : TimerPace.OnTime;
    }

    /// <summary>The period was longer on purpose; the next tick is on time.</summary>
    public void Restart() => _last = null;
}

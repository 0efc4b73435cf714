namespace Mcp.HighAvailability.Cluster;

/// <summary>How punctual a timer of this process was: a late timer means that answers are read late, too.</summary>
internal enum TimerPace
{
    /// <summary>The tick counts.</summary>
    OnTime,

    /// <summary>The tick follows a late one too soon. It does not count as silence of others.</summary>
    Early,

    /// <summary>The tick is late: this process stood still or had no processor time. The silence of others so far proves nothing.</summary>
    Starved,
}

/// <summary>Judges the ticks of one timer.</summary>
/// <param name="period">Period of the timer.</param>
internal sealed class TimerPaceMeter(TimeSpan period)
{
    private TimeSpan? _last;

    /// <summary>Notes a tick.</summary>
    /// <param name="now">The time of the tick.</param>
    public TimerPace Tick(TimeSpan now)
    {
        var gap = now - (_last ?? now - period);
        _last = now;
        return gap > 2 * period ? TimerPace.Starved : gap < 0.5 * period ? TimerPace.Early : TimerPace.OnTime;
    }

    /// <summary>The period was longer on purpose; the next tick is on time.</summary>
    public void Restart() => _last = null;
}

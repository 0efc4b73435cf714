namespace Mcp.HighAvailability.Balancer.Status;

/// <summary>Exchanges that outlived their replica, as this balancer saw it.</summary>
internal sealed class FailoverLog(Timeline timeline)
{
    private long _total;

    public long Total => Volatile.Read(ref _total);

    /// <summary>An exchange went on.</summary>
    /// <param name="lost">The replica that was lost.</param>
    /// <param name="next">The replica that it went on with.</param>
    /// <param name="held">From the break until the next replica answered.</param>
    public void Add(string lost, string next, TimeSpan held)
    {
        Interlocked.Increment(ref _total);
        timeline.Add(TimelineKind.WentOn, lost, next, "", held);
    }
}

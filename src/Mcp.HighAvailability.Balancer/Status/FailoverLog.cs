namespace Mcp.HighAvailability.Balancer.Status;

/// <summary>Requests that were resumed after their replica was lost, as this balancer saw it.</summary>
internal sealed class FailoverLog(Timeline timeline)
{
    private long _total;

    public long Total => Volatile.Read(ref _total);

    /// <summary>A request was resumed.</summary>
    /// <param name="lost">The replica that was lost.</param>
    /// <param name="next">The replica that resumed it.</param>
    /// <param name="held">From the break until the next replica answered.</param>
    public void Add(string lost, string next, TimeSpan held)
    {
        Interlocked.Increment(ref _total);
        timeline.Add(TimelineKind.Resumption, lost, next, "", held);
    }
}

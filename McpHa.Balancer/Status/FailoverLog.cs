namespace McpHa.Balancer.Status;

/// <summary>An exchange that outlived its replica, as this balancer saw it.</summary>
/// <param name="Time">When it went on (UTC).</param>
/// <param name="Lost">The replica that was lost.</param>
/// <param name="Next">The replica that it went on with.</param>
/// <param name="Held">From the break until the next replica answered.</param>
internal sealed record Failover(DateTimeOffset Time, string Lost, string Next, TimeSpan Held);

/// <summary>The last failovers.</summary>
internal sealed class FailoverLog(TimeProvider time)
{
    private const int Kept = 50;

    private readonly Queue<Failover> _recent = new();
    private long _total;

    public long Total => Volatile.Read(ref _total);

    /// <summary>Newest first.</summary>
    public IReadOnlyList<Failover> Recent()
    {
        lock (_recent)
            return [.. _recent.Reverse()];
    }

    public void Add(string lost, string next, TimeSpan held)
    {
        lock (_recent)
        {
            _total++;
            _recent.Enqueue(new Failover(time.GetUtcNow(), lost, next, held));
            if (_recent.Count > Kept)
                _recent.Dequeue();
        }
    }
}

namespace Mcp.HighAvailability.Sessions;

/// <summary>Keeps the server of a drained replica open until relays and load balancers send no more requests to it.</summary>
/// <remarks>
/// A request that is on its way while the server closes its connection may have run, as far as its sender knows. So the server closes when requests have
/// ceased. Thread-safe.
/// </remarks>
internal sealed class LateRequests(TimeProvider time)
{
    // Longer than the notice of the drain is on its way.
    private static readonly TimeSpan Quiet = TimeSpan.FromMilliseconds(250);

    // A load balancer that never looks at the health of the replica sends requests all the time.
    private static readonly TimeSpan MaxWait = TimeSpan.FromSeconds(2);

    private long _last;
    private volatile bool _closing;

    /// <summary>Notes a request. <see langword="true"/>: its response has to close the connection.</summary>
    public bool Note()
    {
        if (!_closing)
            return false;
        Volatile.Write(ref _last, time.GetTimestamp());
        return true;
    }

    /// <summary>Completes when no request has come for 250 ms, after 2 s, or when cancelled. From now on, responses close their connections.</summary>
    public async Task WhenCeasedAsync(CancellationToken cancellationToken)
    {
        var begun = time.GetTimestamp();
        Volatile.Write(ref _last, begun);
        _closing = true;
        while (!cancellationToken.IsCancellationRequested && time.GetElapsedTime(begun) < MaxWait)
        {
            var left = Quiet - time.GetElapsedTime(Volatile.Read(ref _last));
            if (left <= TimeSpan.Zero)
                return;
            await Task.Delay(left, time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }
}

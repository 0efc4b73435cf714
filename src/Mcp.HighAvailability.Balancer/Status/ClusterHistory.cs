using Mcp.HighAvailability.Balancer.Routing;
using Mcp.HighAvailability.Cluster;
using Mcp.HighAvailability.Storage;

namespace Mcp.HighAvailability.Balancer.Status;

/// <summary>Calls and errors of the last hour, minute by minute: of this balancer, and of all replicas as their heartbeats say. Thread-safe.</summary>
/// <remarks>Totals are sampled every second, so that nothing is added to the way of a request.</remarks>
internal sealed class ClusterHistory(ReplicaDirectory directory, BalancerEndpoint balancer, ErrorResponses responses, TimeProvider time)
{
    private readonly Lock _gate = new();
    private readonly MinuteCounts _calls = new(time);
    private readonly MinuteCounts _mayHaveRun = new(time);
    private readonly MinuteCounts _tooManyRequests = new(time);
    private readonly MinuteCounts _serverErrors = new(time);
    private readonly MinuteCounts _fencedWrites = new(time);
    private readonly MinuteCounts _unjournaledEvents = new(time);
    private Dictionary<string, ReplicaFaults>? _seen; // null before the first sample
    private Totals _last;

    /// <summary>Notes what has happened since the last sample.</summary>
    public void Sample()
    {
        lock (_gate)
        {
            var now = new Totals(balancer.Relayed, balancer.MayHaveRun, responses.TooManyRequests, responses.ServerErrors);
            _calls.Add(now.Relayed - _last.Relayed);
            _mayHaveRun.Add(now.MayHaveRun - _last.MayHaveRun);
            _tooManyRequests.Add(now.TooManyRequests - _last.TooManyRequests);
            _serverErrors.Add(now.ServerErrors - _last.ServerErrors);
            _last = now;
            SampleReplicas();
        }
    }

    /// <summary>The sums of the last hour.</summary>
    public ErrorStatus Errors() => new(
        _mayHaveRun.Take().Sum(), _tooManyRequests.Take().Sum(), _serverErrors.Take().Sum(), _fencedWrites.Take().Sum(), _unjournaledEvents.Take().Sum());

    /// <summary>The minutes of the last hour.</summary>
    public HistoryStatus Minutes() => new(
        _calls.Take(),
        [.. _mayHaveRun.Take().Zip(_tooManyRequests.Take(), _serverErrors.Take()).Select(minute => minute.First + minute.Second + minute.Third)]);

    // What replicas counted before this balancer started is not of its hour. A lost replica's last heartbeat was read before.
    private void SampleReplicas()
    {
        var known = directory.Known();
        if (known.Count == 0)
            return;
        var seen = new Dictionary<string, ReplicaFaults>(StringComparer.Ordinal);
        foreach (var (replica, _) in known)
        {
            var now = replica.Faults ?? new(0, 0, 0);
            var before = _seen is null ? now : _seen.GetValueOrDefault(replica.Id) ?? new(0, 0, 0);
            _mayHaveRun.Add(now.MayHaveRun - before.MayHaveRun);
            _fencedWrites.Add(now.FencedWrites - before.FencedWrites);
            _unjournaledEvents.Add(now.UnjournaledEvents - before.UnjournaledEvents);
            seen[replica.Id] = now;
        }

        _seen = seen;
    }

    private readonly record struct Totals(long Relayed, long MayHaveRun, long TooManyRequests, long ServerErrors);
}

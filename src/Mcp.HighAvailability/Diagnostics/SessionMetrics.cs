using System.Diagnostics.Metrics;

namespace Mcp.HighAvailability.Diagnostics;

/// <summary>Counters of what happens to sessions in this replica.</summary>
internal sealed class SessionMetrics : IStartsAtZero
{
    private readonly Meter _meter;
    private readonly Counter<long> _created;
    private readonly Counter<long> _ended;
    private readonly Counter<long> _takeOvers;
    private readonly Histogram<double> _takeOverDuration;
    private readonly Counter<long> _journaled;
    private readonly Counter<long> _replayed;
    private readonly Counter<long> _trimmed;
    private readonly Counter<long> _overdue;
    private readonly Counter<long> _givenUp;
    private readonly Counter<long> _forwards;
    private readonly Counter<long> _fenced;
    private readonly Counter<long> _rerun;
    private readonly Counter<long> _refused;
    private readonly Counter<long> _abandoned;
    private readonly Counter<long> _repeated;
    private readonly Counter<long> _writtenBack;
    private readonly Counter<long> _broadcasts;
    private readonly Counter<long> _broadcastGaps;
    private long _callsThatMayHaveRun;
    private long _fencedWrites;
    private long _unjournaledEvents;

    public SessionMetrics(IMeterFactory meterFactory) : this(meterFactory.Create(HighAvailabilityDiagnostics.MeterName))
    {
    }

    /// <summary>Counts on a meter of one's own.</summary>
    public SessionMetrics(Meter meter)
    {
        _meter = meter;
        _created = _meter.CreateCounter<long>("mcp.ha.sessions.created", "{session}", "Sessions opened by a client.");
        _ended = _meter.CreateCounter<long>("mcp.ha.sessions.ended", "{session}", "Sessions ended, by reason.");
        _takeOvers = _meter.CreateCounter<long>("mcp.ha.takeovers", "{takeover}", "Sessions taken over, by reason.");
        _takeOverDuration = _meter.CreateHistogram(
            "mcp.ha.takeover.duration", "s", "From the decision to take over until the session serves.", advice: DurationBuckets.Advice);
        _journaled = _meter.CreateCounter<long>("mcp.ha.events.journaled", "{event}", "Messages written to the journal.");
        _replayed = _meter.CreateCounter<long>("mcp.ha.events.replayed", "{event}", "Messages sent again from the journal.");
        _trimmed = _meter.CreateCounter<long>("mcp.ha.events.trimmed", "{event}", "Messages removed from the journal by its limits.");
        _overdue = _meter.CreateCounter<long>("mcp.ha.calls.overdue", "{call}", "Calls ended with \"may have run\" because the store was away.");
        _givenUp = _meter.CreateCounter<long>("mcp.ha.events.given_up", "{event}", "Notifications dropped because too many messages of their session waited " +
            "for the store.");
        _forwards = _meter.CreateCounter<long>("mcp.ha.forwards", "{request}", "Requests forwarded to the session's owner.");
        _fenced = _meter.CreateCounter<long>("mcp.ha.writes.fenced", "{write}", "Writes refused because another replica owns the session.");
        _rerun = _meter.CreateCounter<long>("mcp.ha.calls.rerun", "{call}", "Calls run again after their replica was lost.");
        _refused = _meter.CreateCounter<long>("mcp.ha.calls.refused", "{call}", "Calls ended with \"may have run\" after their replica was lost.");
        _abandoned = _meter.CreateCounter<long>("mcp.ha.calls.abandoned", "{call}", "Calls ended with an error because too many replicas were lost while they" +
            " ran.");
        _repeated = _meter.CreateCounter<long>("mcp.ha.calls.repeated", "{call}", "Repeated requests that were answered without running again.");
        _writtenBack = _meter.CreateCounter<long>("mcp.ha.sessions.written_back", "{session}", "Sessions written back after the store lost its data.");
        _broadcasts = _meter.CreateCounter<long>("mcp.ha.broadcasts.delivered", "{event}", "Broadcasts sent to a client of a session.");
        _broadcastGaps = _meter.CreateCounter<long>("mcp.ha.broadcasts.gaps", "{gap}", "Broadcast gaps reported to sessions.");
    }

    public void Observe(Func<int> sessions, Func<int> calls, Func<int> held)
    {
        _meter.CreateObservableUpDownCounter("mcp.ha.sessions", sessions, "{session}", "Sessions that this replica owns.");
        _meter.CreateObservableUpDownCounter("mcp.ha.calls", calls, "{call}", "Client requests in progress.");
        _meter.CreateObservableUpDownCounter("mcp.ha.requests.held", held, "{request}", "Requests that wait in this replica for their session's owner or for " +
            "the store.");
    }

    /// <summary>What went wrong, for heartbeats.</summary>
    public (long MayHaveRun, long FencedWrites, long UnjournaledEvents) Faults =>
        (Volatile.Read(ref _callsThatMayHaveRun), Volatile.Read(ref _fencedWrites), Volatile.Read(ref _unjournaledEvents));

    public void PublishZeros()
    {
        foreach (var counter in (ReadOnlySpan<Counter<long>>)[_refused, _overdue, _givenUp, _fenced, _writtenBack, _broadcastGaps])
            counter.Add(0);
    }

    public void Created() => _created.Add(1);

    public void Ended(string reason) => _ended.Add(1, new KeyValuePair<string, object?>(AttributeNames.Reason, reason));

    public void TakenOver(string reason, TimeSpan duration)
    {
        _takeOvers.Add(1, new KeyValuePair<string, object?>(AttributeNames.Reason, reason));
        _takeOverDuration.Record(duration.TotalSeconds);
    }

    public void Journaled(int events) => _journaled.Add(events);

    public void Replayed() => _replayed.Add(1);

    public void Trimmed(int events)
    {
        if (events > 0)
            _trimmed.Add(events);
    }

    /// <summary>The client gets "may have run".</summary>
    public void Overdue()
    {
        _overdue.Add(1);
        Interlocked.Increment(ref _callsThatMayHaveRun);
    }

    public void GivenUp(int events)
    {
        _givenUp.Add(events);
        Interlocked.Add(ref _unjournaledEvents, events);
    }

    public void Forwarded() => _forwards.Add(1);

    public void Fenced()
    {
        _fenced.Add(1);
        Interlocked.Increment(ref _fencedWrites);
    }

    public void Rerun() => _rerun.Add(1);

    public void Refused()
    {
        _refused.Add(1);
        Interlocked.Increment(ref _callsThatMayHaveRun);
    }

    public void Abandoned(string call)
    {
        _abandoned.Add(1, new KeyValuePair<string, object?>(AttributeNames.Tool, call));
        Interlocked.Increment(ref _callsThatMayHaveRun);
    }

    public void Repeated() => _repeated.Add(1);

    public void Broadcast() => _broadcasts.Add(1);

    public void BroadcastGap() => _broadcastGaps.Add(1);

    public void WrittenBack() => _writtenBack.Add(1);
}

using System.Diagnostics.Metrics;
using Mcp.HighAvailability.Diagnostics;

namespace Mcp.HighAvailability.Relay;

/// <summary>Metrics of relays.</summary>
internal sealed class RelayMetrics : IStartsAtZero
{
    private readonly Counter<long> _abandoned;
    private readonly Counter<long> _refused;
    private readonly Counter<long> _givenUp;
    private long _mayHaveRun;

    public RelayMetrics(IMeterFactory meters)
    {
        var meter = meters.Create(HighAvailabilityDiagnostics.MeterName);
        Attempts = meter.CreateCounter<long>("mcp.ha.relay.attempts", "{attempt}", "Requests sent to replicas.");
        Failures = meter.CreateCounter<long>("mcp.ha.relay.failures", "{attempt}", "Attempts that did not complete the request, by kind.");
        Splices = meter.CreateCounter<long>("mcp.ha.relay.splices", "{stream}", "Streams resumed by event id into an open response.");
        Reposts = meter.CreateCounter<long>("mcp.ha.relay.reposts", "{request}", "Requests sent again, unchanged.");
        Held = meter.CreateUpDownCounter<long>("mcp.ha.relay.held", "{request}", "Requests that wait for a replica.");
        _abandoned = meter.CreateCounter<long>("mcp.ha.relay.abandoned", "{request}", "Requests without a session that ended with an error because too many " +
            "replicas were lost while they ran.");
        _refused = meter.CreateCounter<long>("mcp.ha.relay.refused", "{request}", "Requests that the relay ended with \"may have run\".");
        _givenUp = meter.CreateCounter<long>("mcp.ha.relay.given_up", "{request}", "Requests that the relay ended with an error because no replica could " +
            "serve them in time.");
    }

    public Counter<long> Attempts { get; }

    public Counter<long> Failures { get; }

    public Counter<long> Splices { get; }

    public Counter<long> Reposts { get; }

    public UpDownCounter<long> Held { get; }

    /// <summary>Requests that this process has answered with "may have run", since its start.</summary>
    public long MayHaveRun => Volatile.Read(ref _mayHaveRun);

    /// <summary>The client gets "may have run".</summary>
    public void Refused()
    {
        _refused.Add(1);
        Interlocked.Increment(ref _mayHaveRun);
    }

    /// <summary>The client gets "may have run", because too many replicas were lost with the request.</summary>
    public void Abandoned(string call)
    {
        _abandoned.Add(1, new KeyValuePair<string, object?>(AttributeNames.Tool, call));
        Interlocked.Increment(ref _mayHaveRun);
    }

    /// <summary>The client gets an error, or its stream breaks off: no replica could serve the request in time, and it has not run.</summary>
    public void GivenUp() => _givenUp.Add(1);

    public void PublishZeros()
    {
        _refused.Add(0);
        _givenUp.Add(0);
    }

    public void Failed(string kind) => Failures.Add(1, new KeyValuePair<string, object?>(AttributeNames.ErrorType, kind));
}

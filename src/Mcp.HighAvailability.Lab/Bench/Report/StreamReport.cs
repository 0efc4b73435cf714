namespace Mcp.HighAvailability.Lab.Bench.Report;

/// <summary>GET streams of as many sessions, through one balancer to three replicas.</summary>
internal sealed record StreamReport
{
    /// <summary>Streams that were asked for.</summary>
    public required int Streams { get; init; }

    /// <summary>Streams that were not opened.</summary>
    public required int Refused { get; init; }

    public required double OpenSeconds { get; init; }

    /// <summary>Sessions that were taken from living replicas before the kill.</summary>
    public required double FalseTakeOvers { get; init; }

    /// <summary>Attempts of the balancer that failed before the kill.</summary>
    public required double FailedAttempts { get; init; }

    /// <summary>Resident memory of the balancer, beyond that without streams.</summary>
    public required double BalancerBytesPerStream { get; init; }

    /// <summary>Processor time of balancer, replicas and store without sessions, in percent of one processor.</summary>
    public required double EmptyCpuPercent { get; init; }

    /// <summary>The same with the idle streams.</summary>
    public required double IdleCpuPercent { get; init; }

    /// <summary>From the call that publishes a broadcast to its arrival, over all broadcasts and streams.</summary>
    public required double BroadcastP50Milliseconds { get; init; }

    public required double BroadcastP99Milliseconds { get; init; }

    /// <summary>Commands that the store has run, heartbeats of that time taken off.</summary>
    public required double StoreCommandsPerBroadcast { get; init; }

    /// <summary>Streams whose replica was killed.</summary>
    public required int StreamsOfKilled { get; init; }

    /// <summary>From the kill to the first event, or the longest delay of a later one, of the streams whose replica was killed.</summary>
    public required double SilenceP50Milliseconds { get; init; }

    public required double SilenceP99Milliseconds { get; init; }

    public required double SilenceMaxMilliseconds { get; init; }

    /// <summary>Events that did not arrive, over all streams.</summary>
    public required int Lost { get; init; }

    /// <summary>Events that arrived more than once, or out of order.</summary>
    public required int Doubled { get; init; }

    /// <summary>Processor time that the idle streams cost.</summary>
    public double IdleCpuPercentBeyondEmpty => IdleCpuPercent - EmptyCpuPercent;
}

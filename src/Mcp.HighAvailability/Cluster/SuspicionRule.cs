namespace Mcp.HighAvailability.Cluster;

/// <summary>When a silent replica is lost.</summary>
/// <remarks>
/// <para>Silence alone is weak evidence. A missing heartbeat in the store is a second witness, so both together are enough soon. Without it the
/// replica lives, and only the way to it is broken: that takes longer.</para>
/// <para>If every other replica is silent at once, the cause is most likely here. This process then waits much longer, or until the heartbeats
/// are overdue.</para>
/// </remarks>
internal sealed class SuspicionRule(ClusterOptions options)
{
    /// <summary>Ticks in one <see cref="ClusterOptions.ProbeTimeout"/>.</summary>
    public const int TicksPerProbe = 4;

    /// <summary>The period of the ticks.</summary>
    public TimeSpan Period { get; } = options.ProbeTimeout / TicksPerProbe;

    /// <summary>Whether a replica was silent for as long as a probe may take.</summary>
    public static bool IsSilent(int ticks) => ticks >= TicksPerProbe;

    /// <summary>The verdict on a replica; <see langword="null"/> while it is not lost.</summary>
    /// <param name="ticks">Its silence.</param>
    /// <param name="beatMissed">A recent reading of the registry shows that its heartbeat is missing.</param>
    /// <param name="others">All other replicas that are alive, or were lost lately because they were silent.</param>
    /// <param name="silent">How many of these are silent.</param>
    public ReplicaLoss? Decide(int ticks, bool beatMissed, int others, int silent)
    {
        if (!IsSilent(ticks))
            return null;
        var suspectIsSelf = others > 1 && silent >= others;
        if (beatMissed && !suspectIsSelf)
            return ReplicaLoss.Silent;
        var limit = suspectIsSelf ? 4 * options.Overdue : options.Overdue - options.HeartbeatInterval;
        return ticks * Period >= limit ? ReplicaLoss.Unreachable : null;
    }
}

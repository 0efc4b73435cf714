namespace Mcp.HighAvailability.Cluster;

/// <summary>When a silent replica is lost.</summary>
/// <remarks>
/// <para>Silence alone is weak evidence. A missing heartbeat in the store is a second witness, so both together are enough soon. Without it the
/// replica lives, and only the way to it is broken: that takes longer.</para>
/// <para>A replica whose process answers pings is not dead. Only if it also has processor time and does not answer for long, it is lost.</para>
/// <para>If every other replica is silent at once, the cause is most likely here. This process then waits much longer, or until the heartbeats
/// are overdue.</para>
/// </remarks>
internal sealed class SuspicionRule(ClusterOptions options)
{
    /// <summary>Ticks in one <see cref="ClusterOptions.ProbeTimeout"/>.</summary>
    public const int TicksPerProbe = 4;

    /// <summary>The period of the ticks.</summary>
    public TimeSpan Period { get; } = options.ProbeTimeout / TicksPerProbe;

    /// <summary>How long this process waits if it suspects itself; also how long a starved replica counts as alive.</summary>
    public TimeSpan SelfLimit { get; } = 4 * options.Overdue;

    /// <summary>Whether a replica was silent for as long as a probe may take.</summary>
    public static bool IsSilent(int ticks) => ticks >= TicksPerProbe;

    /// <summary>The verdict on a replica; <see langword="null"/> while it is not lost.</summary>
    /// <param name="silence">Its silence.</param>
    /// <param name="beatMissed">A recent reading of the registry shows that its heartbeat is missing.</param>
    /// <param name="others">All other replicas that are alive, or were lost lately because they were silent.</param>
    /// <param name="silent">How many of these are silent.</param>
    /// <param name="dead">How many of these show no life at all.</param>
    public ReplicaLoss? Decide(Silence silence, bool beatMissed, int others, int silent, int dead)
    {
        if (beatMissed && IsSilent(silence.DeadTicks) && !IsSelf(dead))
            return ReplicaLoss.Silent;
        var limit = IsSelf(silent) ? SelfLimit : options.Overdue - options.HeartbeatInterval;
        return IsSilent(silence.Ticks) && silence.Ticks * Period >= limit ? ReplicaLoss.Unreachable : null;

        bool IsSelf(int count) => others > 1 && count >= others;
    }
}

/// <summary>How long a replica has been silent, in punctual ticks.</summary>
/// <param name="Ticks">See <see cref="ReplicaSuspicion.Ticks"/>.</param>
/// <param name="DeadTicks">See <see cref="ReplicaSuspicion.DeadTicks"/>.</param>
internal readonly record struct Silence(int Ticks, int DeadTicks);

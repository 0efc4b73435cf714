namespace Mcp.HighAvailability.Hosting.Restart;

/// <summary>When a replica that ended by itself starts again.</summary>
/// <param name="InitialDelay">Delay before the first restart; it doubles with each further one.</param>
/// <param name="MaxDelay">Longest delay.</param>
/// <param name="MaxRestarts">Restarts in a row. A replica that ends once more stays down.</param>
/// <param name="StableTime">A replica that was up for so long counts as a new one.</param>
internal sealed record RestartPolicy(TimeSpan InitialDelay, TimeSpan MaxDelay, int MaxRestarts, TimeSpan StableTime)
{
    public static RestartPolicy Default { get; } = new(TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(30), MaxRestarts: 8, TimeSpan.FromMinutes(1));

    /// <summary>The delay before the next restart, or <see langword="null"/> if there is none.</summary>
    /// <param name="restarts">Restarts in a row so far.</param>
    public TimeSpan? DelayAfter(int restarts) =>
        restarts >= MaxRestarts ? null : TimeSpan.FromTicks((long)Math.Min(InitialDelay.Ticks * Math.Pow(2, restarts), MaxDelay.Ticks));

    /// <summary>Restarts in a row, after the replica was up for <paramref name="uptime"/>.</summary>
    public int Count(int restarts, TimeSpan uptime) => uptime >= StableTime ? 0 : restarts;
}

using System.Diagnostics;

namespace Mcp.HighAvailability.Lab.Chaos.Cluster;

/// <summary>Waits for a state of the cluster.</summary>
internal static class States
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(50);

    /// <summary>How long the cluster may take to become what it has to be. What takes longer is a finding of its own.</summary>
    public static TimeSpan Limit { get; } = TimeSpan.FromSeconds(90);

    public static Task UntilAsync(Func<bool> isReached, string what, CancellationToken cancellationToken) =>
        UntilAsync(_ => Task.FromResult(isReached()), () => what, cancellationToken);

    public static Task UntilAsync(Func<CancellationToken, Task<bool>> isReached, string what, CancellationToken cancellationToken) =>
        UntilAsync(isReached, () => what, cancellationToken);

    /// <exception cref="NotRecoveredException">It is not reached within <see cref="Limit"/>.</exception>
    public static async Task UntilAsync(Func<CancellationToken, Task<bool>> isReached, Func<string> what, CancellationToken cancellationToken)
    {
        var begun = Stopwatch.GetTimestamp();
        while (!await isReached(cancellationToken))
        {
            if (Stopwatch.GetElapsedTime(begun) > Limit)
                throw new NotRecoveredException($"After {Limit.TotalSeconds:0} s still waiting for {what()}.");
            await Task.Delay(Interval, cancellationToken);
        }
    }
}

/// <summary>The cluster has not become whole again after a fault.</summary>
internal sealed class NotRecoveredException(string message) : Exception(message);

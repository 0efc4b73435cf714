namespace Mcp.HighAvailability.Cluster;

/// <summary>Ends the pause of a loop early. Thread-safe; one loop pauses.</summary>
internal sealed class WakeSignal(TimeProvider time)
{
    private TaskCompletionSource _wake = New();

    /// <summary>Ends the pause, or the next one if there is none.</summary>
    public void Set() => Volatile.Read(ref _wake).TrySetResult();

    /// <summary>Waits. Returns whether the pause was ended early.</summary>
    public async Task<bool> PauseAsync(TimeSpan pause, CancellationToken cancellationToken)
    {
        // Once per heartbeat: that the time is over is no exception.
        var woken = Volatile.Read(ref _wake).Task;
        await woken.WaitAsync(pause, time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        cancellationToken.ThrowIfCancellationRequested();
        if (!woken.IsCompleted)
            return false;
        Interlocked.Exchange(ref _wake, New());
        return true;
    }

    private static TaskCompletionSource New() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}

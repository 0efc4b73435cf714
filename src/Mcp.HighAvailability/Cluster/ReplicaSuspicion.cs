using Mcp.HighAvailability.Storage;

namespace Mcp.HighAvailability.Cluster;

/// <summary>The signs of life of one watched replica, as one process sees them. One writer, except for <see cref="Answered"/> and <see cref="End"/>.</summary>
/// <remarks>Silence is counted in punctual ticks of this process, and a late tick begins the count again. A process without processor time so passes no
/// verdict.</remarks>
/// <param name="heard">When bytes arrived from the replica last, see <see cref="ReplicaUse.LastReceived"/>.</param>
internal sealed class ReplicaSuspicion(long heard)
{
    private long _heard = heard;
    private int _answers;
    private int _answersSeen;
    private bool _asked;
    private CancellationTokenSource? _probe;
    private int _probeTicks;

    /// <summary>Punctual ticks without a sign of life since it was asked for one.</summary>
    public int Ticks { get; private set; }

    /// <summary>Notes a tick. Bytes on an open exchange and answers end the silence.</summary>
    /// <param name="pace">Whether the tick counts.</param>
    /// <param name="heard">When bytes arrived from the replica last.</param>
    /// <returns>Whether there was a sign of life since the tick before.</returns>
    public bool Tick(TimerPace pace, long heard)
    {
        var answers = Volatile.Read(ref _answers);
        var alive = heard != _heard || answers != _answersSeen;
        (_heard, _answersSeen) = (heard, answers);
        if (alive)
            _asked = false;
        if (alive || pace == TimerPace.Starved)
            Ticks = 0;
        else if (pace == TimerPace.OnTime && _asked)
            Ticks++;

        // A fresh connection may get through where this one does not.
        if (pace == TimerPace.OnTime && ++_probeTicks > SuspicionRule.TicksPerProbe)
            Cancel();
        return alive;
    }

    /// <summary>Begins a probe, unless one waits for its answer.</summary>
    public CancellationTokenSource? TryBegin(CancellationToken stopped)
    {
        if (Volatile.Read(ref _probe) is not null)
            return null;
        _asked = true;
        _probeTicks = 0;
        return _probe = CancellationTokenSource.CreateLinkedTokenSource(stopped);
    }

    /// <summary>A probe was answered.</summary>
    public void Answered() => Interlocked.Increment(ref _answers);

    /// <summary>A probe is over.</summary>
    public void End(CancellationTokenSource probe)
    {
        Interlocked.CompareExchange(ref _probe, null, probe);
        probe.Dispose();
    }

    /// <summary>Gives the probe up that waits for its answer.</summary>
    public void Cancel()
    {
        try
        {
            Interlocked.Exchange(ref _probe, null)?.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // It has just ended.
        }
    }
}

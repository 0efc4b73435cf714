using Mcp.HighAvailability.Storage;

namespace Mcp.HighAvailability.Cluster;

/// <summary>The signs of life of one watched replica, as one process sees them. One writer, except for <see cref="Answered"/> and <see cref="End"/>.</summary>
/// <remarks>
/// Silence is counted in punctual ticks of this process, and a late tick begins the count again. A process without processor time so passes no verdict.
/// </remarks>
/// <param name="heard">When bytes arrived from the replica last, see <see cref="ReplicaUse.LastReceived"/>.</param>
/// <param name="pong">What it has answered to pings so far.</param>
internal sealed class ReplicaSuspicion(long heard, Pong pong)
{
    private long _heard = heard;
    private int _answers;
    private int _answersSeen;
    private int _pongsSeen = pong.Count;
    private bool _asked;
    private CancellationTokenSource? _probe;
    private int _probeTicks;

    /// <summary>Punctual ticks without bytes or an answer since it was asked for one. Ticks in which it was starved do not count.</summary>
    public int Ticks { get; private set; }

    /// <summary>Those of them since the last pong: its process shows no life at all.</summary>
    public int DeadTicks { get; private set; }

    /// <summary>Notes a tick. Bytes on an open exchange and answers end the silence.</summary>
    /// <param name="pace">Whether the tick counts.</param>
    /// <param name="heard">When bytes arrived from the replica last.</param>
    /// <param name="pong">What it has answered to pings.</param>
    /// <returns>Which signs of life there were since the tick before.</returns>
    public LifeSign Tick(TimerPace pace, long heard, Pong pong)
    {
        var answers = Volatile.Read(ref _answers);
        var answered = heard != _heard || answers != _answersSeen;
        var pongs = pong.Count != _pongsSeen;
        (_heard, _answersSeen, _pongsSeen) = (heard, answers, pong.Count);
        if (answered)
            _asked = false;
        if (answered || pace == TimerPace.Starved)
        {
            (Ticks, DeadTicks) = (0, 0);
        }
        else if (pongs)
        {
            DeadTicks = 0;
            if (pace == TimerPace.OnTime && _asked && !pong.Starved)
                Ticks++;
        }
        else if (pace == TimerPace.OnTime && _asked)
        {
            Ticks++;
            DeadTicks++;
        }

        // A fresh connection may get through where this one does not.
        if (pace == TimerPace.OnTime && ++_probeTicks > SuspicionRule.TicksPerProbe)
            Cancel();
        return answered ? LifeSign.Answer : pongs && pong.Starved ? LifeSign.Starved : LifeSign.None;
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

/// <summary>Signs of life of a watched replica.</summary>
internal enum LifeSign
{
    /// <summary>None, or none that says more than that its process runs.</summary>
    None,

    /// <summary>The process runs without processor time: answers and heartbeats are late.</summary>
    Starved,

    /// <summary>Bytes, or an answer to a probe.</summary>
    Answer,
}

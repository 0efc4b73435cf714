namespace Mcp.HighAvailability.Sessions;

/// <summary>Purpose of a take-over.</summary>
internal enum TakeOverFor
{
    /// <summary>A client waits for the answer to a call.</summary>
    Call,

    /// <summary>A stream goes on.</summary>
    Stream,
}

/// <summary>A take-over that waits or runs in this replica. Requests of its session wait for <see cref="Result"/>.</summary>
internal sealed class PendingTakeOver(TakeOverFor purpose)
{
    private readonly TaskCompletionSource<Ownership> _result = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _admitted = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Guarded by the admission's lock.</summary>
    public TakeOverFor For { get; set; } = purpose;

    public Task<Ownership> Result => _result.Task;

    /// <summary>Completes when the take-over may run.</summary>
    public Task Admitted => _admitted.Task;

    public void Admit() => _admitted.TrySetResult();

    public void Complete(Ownership ownership) => _result.TrySetResult(ownership);
}

/// <summary>Lets a bounded number of take-overs run at once: those for calls first, those for streams after them.</summary>
/// <remarks>
/// When an owner of thousands of sessions is lost, all of their streams come back within a moment. While calls are in progress, take-overs for streams
/// use half of the time at most, so that processors are left to them. A request of a session that has an owner never waits here.
/// </remarks>
/// <param name="max">Take-overs at once.</param>
/// <param name="hasCalls">Whether calls are in progress.</param>
/// <param name="time">The clock.</param>
internal sealed class TakeOverAdmission(int max, Func<bool> hasCalls, TimeProvider time)
{
    private static readonly TimeSpan MaxRest = TimeSpan.FromMilliseconds(100);

    private readonly Lock _gate = new();
    private readonly Queue<PendingTakeOver> _calls = new();
    private readonly Queue<PendingTakeOver> _streams = new();
    private int _running;
    private int _resting;

    /// <summary>Take-overs that run.</summary>
    public int Running
    {
        get
        {
            lock (_gate)
                return _running;
        }
    }

    /// <summary>Take-overs that wait for their turn.</summary>
    public int Waiting
    {
        get
        {
            lock (_gate)
                return _calls.Concat(_streams).Distinct().Count(t => !t.Admitted.IsCompleted);
        }
    }

    /// <summary>Waits for a turn; <see cref="Exit"/> must follow.</summary>
    public Task EnterAsync(PendingTakeOver takeOver)
    {
        lock (_gate)
        {
            (takeOver.For == TakeOverFor.Call ? _calls : _streams).Enqueue(takeOver);
            Admit();
        }

        return takeOver.Admitted;
    }

    /// <summary>A call waits for a take-over that was for a stream: it passes those for other streams.</summary>
    public void Promote(PendingTakeOver takeOver)
    {
        lock (_gate)
        {
            if (takeOver.For == TakeOverFor.Call)
                return;
            takeOver.For = TakeOverFor.Call;
            if (_streams.Contains(takeOver))
                _calls.Enqueue(takeOver);
            Admit();
        }
    }

    /// <summary>Ends a turn.</summary>
    /// <param name="takeOver">Whose.</param>
    /// <param name="took">How long it was.</param>
    public void Exit(PendingTakeOver takeOver, TimeSpan took)
    {
        lock (_gate)
        {
            _running--;
            if (takeOver.For == TakeOverFor.Stream && took > TimeSpan.Zero && _streams.Count > 0 && hasCalls())
            {
                _resting++;
                _ = RestAsync(took < MaxRest ? took : MaxRest);
            }

            Admit();
        }
    }

    private async Task RestAsync(TimeSpan rest)
    {
        await Task.Delay(rest, time).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        lock (_gate)
        {
            _resting--;
            Admit();
        }
    }

    // A take-over that was promoted is in both queues.
    private void Admit()
    {
        while (_running < max && TryTake(_calls) is { } next)
            Start(next);
        while (_running + _resting < max && TryTake(_streams) is { } next)
            Start(next);

        void Start(PendingTakeOver next)
        {
            _running++;
            next.Admit();
        }
    }

    private static PendingTakeOver? TryTake(Queue<PendingTakeOver> queue)
    {
        while (queue.TryDequeue(out var next))
        {
            if (!next.Admitted.IsCompleted)
                return next;
        }

        return null;
    }
}

using Mcp.HighAvailability.Storage;

namespace Mcp.HighAvailability.Sessions;

/// <summary>Wait for a condition of a session, or for the write of a batch.</summary>
internal readonly record struct SessionWait(Func<SessionCore, bool>? Condition, long Ticket, WaitMode Mode)
{
    public SessionWait(Func<SessionCore, bool> condition) : this(condition, 0, default)
    {
    }

    public SessionWait(long ticket, WaitMode mode) : this(null, ticket, mode)
    {
    }

    public SessionWaitState Look(SessionCore core)
    {
        if (Condition is not null)
            return Condition(core) ? SessionWaitState.Holds : SessionWaitState.Waits;
        var commits = core.Commits;
        if (commits.Stopped)
            return SessionWaitState.Never;
        if (Ticket <= commits.Written)
            return SessionWaitState.Holds;
        if (Ticket > commits.Overdue || Mode == WaitMode.Unlimited)
            return SessionWaitState.Waits;
        return Mode == WaitMode.Fails ? SessionWaitState.Overdue : SessionWaitState.Holds;
    }
}

/// <summary>Treatment of a wait for an overdue batch.</summary>
internal enum WaitMode
{
    /// <summary>The wait continues.</summary>
    Unlimited,

    /// <summary>The wait fails with <see cref="StoreUnavailableException"/>.</summary>
    Fails,

    /// <summary>The wait ends.</summary>
    Ends,
}

internal enum SessionWaitState
{
    Waits,
    Holds,
    Never,
    Overdue,
}

/// <summary>One that waits. Its continuations run on other threads, never in a step.</summary>
internal sealed class SessionWaiter(SessionWait wait)
{
    private readonly TaskCompletionSource _source = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private SessionWaitState _state;

    public SessionWait Wait => wait;

    public Task Task => _source.Task;

    /// <summary>Whether the wait is over.</summary>
    public bool IsOver => _state != SessionWaitState.Waits;

    /// <summary>A wait that is over before it begins.</summary>
    public static Task Completed(SessionWaitState state) => state switch
    {
        SessionWaitState.Holds => Task.CompletedTask,
        SessionWaitState.Overdue => Task.FromException(Overdue()),
        _ => Task.FromCanceled(new CancellationToken(canceled: true)),
    };

    /// <summary>Looks whether the wait is over now.</summary>
    public bool Look(SessionCore core) => (_state = wait.Look(core)) != SessionWaitState.Waits;

    /// <summary>Wakes the waiting caller.</summary>
    public void Complete()
    {
        if (_state == SessionWaitState.Holds)
            _source.TrySetResult();
        else if (_state == SessionWaitState.Overdue)
            _source.TrySetException(Overdue());
        else
            _source.TrySetCanceled();
    }

    private static StoreUnavailableException Overdue() => new("The store did not answer in time (HighAvailability:DurableTimeout).");
}

namespace Mcp.HighAvailability.Sessions;

/// <summary>What is waited for: a condition of a session, or that a batch is written or shown.</summary>
internal readonly record struct SessionWait(Func<SessionCore, bool>? Condition, long Ticket, bool Shown)
{
    public SessionWait(Func<SessionCore, bool> condition) : this(condition, 0, false)
    {
    }

    public SessionWait(long ticket, bool Shown) : this(null, ticket, Shown)
    {
    }

    public SessionWaitState Look(SessionCore core)
    {
        if (Condition is not null)
            return Condition(core) ? SessionWaitState.Holds : SessionWaitState.Waits;
        var commits = core.Commits;
        return commits.Stopped ? SessionWaitState.Never
            : Ticket <= (Shown ? commits.Shown : commits.Written) ? SessionWaitState.Holds
            : SessionWaitState.Waits;
    }
}

internal enum SessionWaitState
{
    Waits,
    Holds,
    Never,
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

    /// <summary>Looks whether the wait is over now.</summary>
    public bool Look(SessionCore core) => (_state = wait.Look(core)) != SessionWaitState.Waits;

    /// <summary>Tells who waits.</summary>
    public void Complete()
    {
        if (_state == SessionWaitState.Holds)
            _source.TrySetResult();
        else
            _source.TrySetCanceled();
    }
}

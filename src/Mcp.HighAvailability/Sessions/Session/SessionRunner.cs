using Microsoft.Extensions.Logging;

namespace Mcp.HighAvailability.Sessions;

/// <summary>Runs the steps of one session one at a time, sends its commits, and shows their effects in order.</summary>
/// <remarks>
/// A step runs on the thread that brings its input. What it leaves to be done follows on the same thread when the step is over and others may
/// run: effects first, then those who wait, then the next commit. Everything that arrives while a commit is under way gathers in the next one.
/// </remarks>
internal sealed partial class SessionRunner(SessionCore core, CommitContext context, Action onLost)
{
    private readonly Lock _turn = new();
    private readonly ILogger _logger = context.Logger;
    private readonly CancellationTokenSource _stopped = new();
    private List<SessionWaiter>? _waiters;
    private CommitWriter? _writer;
    private bool _showing;

    public string SessionId => core.Record.Id;

    /// <summary>Ends when the session writes no more.</summary>
    public CancellationToken Stopped => _stopped.Token;

    /// <summary>Runs a step.</summary>
    public TResult Run<TInput, TResult>(TInput input, Func<SessionCore, TInput, TResult> step)
    {
        TResult result;
        Rest rest;
        lock (_turn)
        {
            result = step(core, input);
            rest = Look();
        }

        Go(rest);
        return result;
    }

    /// <summary>Runs a step.</summary>
    public TResult Run<TResult>(Func<SessionCore, TResult> step) => Run(step, static (core, step) => step(core));

    /// <summary>Runs a step that only looks.</summary>
    public TResult Read<TResult>(Func<SessionCore, TResult> look)
    {
        lock (_turn)
            return look(core);
    }

    /// <summary>Runs a step that only looks.</summary>
    public TResult Read<TInput, TResult>(TInput input, Func<SessionCore, TInput, TResult> look)
    {
        lock (_turn)
            return look(core, input);
    }

    /// <summary>Completes when a condition holds after a step. A condition must hold when the session is over.</summary>
    public Task WhenAsync(Func<SessionCore, bool> condition) => WaitAsync(new(condition));

    /// <summary>Completes when the store has a batch and its effects were shown. Cancelled when it will never have it.</summary>
    /// <param name="ticket">The batch.</param>
    /// <param name="mode">What becomes of the wait when the store is away for <see cref="HighAvailabilityOptions.DurableTimeout"/>.</param>
    public Task WrittenAsync(long ticket, WaitMode mode = WaitMode.Unlimited) => WaitAsync(new(ticket, mode));

    private Task WaitAsync(SessionWait wait)
    {
        lock (_turn)
        {
            if (wait.Look(core) is not SessionWaitState.Waits and var over)
                return SessionWaiter.Completed(over);

            // Those who wait for the same batch share one.
            _waiters ??= [];
            if (_waiters.Find(other => other.Wait == wait) is { } same)
                return same.Task;
            var waiter = new SessionWaiter(wait);
            _waiters.Add(waiter);
            return waiter.Task;
        }
    }

    // In the turn. What is to follow the step.
    private Rest Look()
    {
        core.Commits.ReleaseEarly();
        var commit = core.Commits.TryBegin();
        List<Effect>? effects = null;
        if (!_showing)
        {
            effects = core.Commits.TakeReleased();
            _showing = effects is not null;
        }

        List<SessionWaiter>? done = null;
        for (var i = 0; i < (_waiters?.Count ?? 0); i++)
        {
            if (_waiters![i].Look(core))
                (done ??= []).Add(_waiters[i]);
        }

        if (done is not null && _waiters!.RemoveAll(static waiter => waiter.IsOver) == done.Count && _waiters.Count == 0)
            _waiters = null;
        var givenUp = core.GivenUp;
        core.GivenUp = 0;
        return new(commit, effects, done, givenUp, core.Commits.Stopped);
    }

    // Out of the turn, for others may run on inside of it.
    private void Go(in Rest rest)
    {
        if (rest.Stopped && !_stopped.IsCancellationRequested)
            _stopped.Cancel();
        if (rest.GivenUp > 0)
            context.Metrics.GivenUp(rest.GivenUp);
        if (rest.Effects is not null)
            Show(rest.Effects);
        foreach (var waiter in rest.Done ?? [])
            waiter.Complete();
        if (rest.Commit is { } commit)
            _ = WriteAsync(commit);
    }

    // One thread at a time, so that they come in their order: the one that shows takes along what others release meanwhile.
    private void Show(List<Effect>? effects)
    {
        try
        {
            while (effects is not null)
            {
                foreach (var effect in effects)
                    effect.Run();
                lock (_turn)
                {
                    effects = core.Commits.TakeReleased();
                    _showing = effects is not null;
                }
            }
        }
        catch
        {
            lock (_turn)
                _showing = false;
            throw;
        }
    }

    // Never throws. A fault ends the session here, so that its clients go to the next owner.
    private async Task WriteAsync(PendingCommit commit)
    {
        try
        {
            var writer = _writer ??= new(this, core.Record, context);
            for (PendingCommit? next = commit; next is { Batch: var batch } pending; next = Run(static core => core.Commits.Next()))
            {
                if (!await writer.WriteAsync(pending).ConfigureAwait(false))
                {
                    onLost();
                    return;
                }

                if (batch.Entries > 0)
                    context.Metrics.Journaled(batch.Entries);
                Run(batch, static (core, batch) =>
                {
                    core.Commits.Committed(batch);
                    return true;
                });
            }
        }
        catch (Exception e)
        {
            LogBroken(e, core.Record.Id);
            onLost();
        }
    }

    [LoggerMessage(
        Level = LogLevel.Error,
        Message = "Session {SessionId} closed on this replica: a commit failed. Its next request restores it. Other sessions are not affected.")]
    private partial void LogBroken(Exception exception, string sessionId);

    // What follows a step.
    private readonly record struct Rest(PendingCommit? Commit, List<Effect>? Effects, List<SessionWaiter>? Done, int GivenUp, bool Stopped);
}

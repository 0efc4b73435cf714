using System.Diagnostics;
using Mcp.HighAvailability.Diagnostics;
using Microsoft.Extensions.Logging;

namespace Mcp.HighAvailability.Sessions;

/// <summary>Giving the session up in good order.</summary>
/// <remarks>
/// What a running call knows is here alone, so a session moves only while it has none. Invariant: a call is either admitted before the session
/// closes, and finishes here, or waits and is served by the next owner.
/// </remarks>
internal sealed partial class LiveSession
{
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(5);

    // While new calls wait: completes when the session has moved, or stays after all.
    private TaskCompletionSource? _pause;

    // The same for those alone that must not run twice, and might be broken off here.
    private TaskCompletionSource? _hold;

    // Completes when no call is in flight. Then the session has closed, if it was to.
    private TaskCompletionSource? _quiet;
    private bool _closesWhenQuiet;
    private bool _closedQuiet;

    /// <summary>Whether the session was given up in good order, so that a client may be told to come back for it.</summary>
    public bool HandedOver { get; private set; }

    /// <summary>Hands the session over when its calls have finished, or when it is overdue: then the next owner takes them up as after a crash.</summary>
    /// <remarks>
    /// Most sessions come to rest between two calls, and close in that very moment. One that is used all the time never does. So when
    /// the hurry begins, new calls wait while those that began before finish; a little only, and longer in every
    /// further round, because one of them may take long. Late, what must not run twice does not begin here any more.
    /// </remarks>
    /// <param name="offers">Finds the next owner.</param>
    /// <param name="when">How long the session may wait for its calls.</param>
    /// <param name="cancellationToken">Ends the session here without handing it over.</param>
    public async Task HandOverAsync(SessionOffers offers, HandOverTimes when, CancellationToken cancellationToken)
    {
        var hold = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        try
        {
            using var late = when.Late.UnsafeRegister(_ => SetHold(hold), null);
            using (var turn = await offers.Turns.EnterAsync(cancellationToken).ConfigureAwait(false))
            {
                if (when.CalledOff.IsCancellationRequested)
                    return;
                if (await ReleaseAsync(evenWithCalls: false, cancellationToken, offers).ConfigureAwait(false))
                {
                    await turn.RestAsync(when.Hurry).ConfigureAwait(false);
                    return;
                }
            }

            await WhenQuietAsync(offers, when, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            SetHold(null);
            hold.SetResult();
        }
    }

    private async Task WhenQuietAsync(SessionOffers offers, HandOverTimes when, CancellationToken cancellationToken)
    {
        using (var either = CancellationTokenSource.CreateLinkedTokenSource(when.Hurry, when.Overdue, when.CalledOff))
        {
            if (await CloseWhenQuietAsync(either.Token).ConfigureAwait(false))
            {
                await GiveUpAsync(offers, cancellationToken).ConfigureAwait(false);
                return;
            }
        }

        for (var pause = FirstPause; !when.IsOver; pause = pause * 2 < LongestPause ? pause * 2 : LongestPause)
        {
            if (await TryHandOverAsync(offers, pause, when, cancellationToken).ConfigureAwait(false))
                return;
        }

        if (!when.CalledOff.IsCancellationRequested)
            await ReleaseAsync(evenWithCalls: true, cancellationToken, offers).ConfigureAwait(false);
    }

    /// <summary>Takes nothing new, writes what is left, and gives up the ownership, so that any replica may take it.</summary>
    /// <param name="evenWithCalls">Also when calls are in flight; otherwise such a session stays.</param>
    /// <param name="cancellationToken">Ends the session here without handing it over.</param>
    /// <param name="offers">Finds the next owner; without it the session waits for its next request.</param>
    /// <returns>Whether it is served here no longer.</returns>
    public async Task<bool> ReleaseAsync(bool evenWithCalls, CancellationToken cancellationToken, SessionOffers? offers = null)
    {
        lock (Gate)
        {
            if (_closed)
                return true;
            if (Calls.AnyRunning && !evenWithCalls)
                return false;
            _closed = true;
        }

        await GiveUpAsync(offers, cancellationToken).ConfigureAwait(false);
        return true;
    }

    // Whoever has closed the session does this, once.
    private async Task GiveUpAsync(SessionOffers? offers, CancellationToken cancellationToken)
    {
        using var span = Trace(SpanNames.HandOver);
        using var scope = BeginScope();
        span?.SetTag(AttributeNames.From, _runtime.ReplicaId);
        try
        {
            await Queue.DrainAsync().WaitAsync(cancellationToken).ConfigureAwait(false);
            var released = await _runtime.Store.ReleaseAsync(Id, Epoch, cancellationToken).ConfigureAwait(false);
            if (released == CommitResult.Lost)
            {
                await VerifyAsync().WaitAsync(cancellationToken).ConfigureAwait(false);
                released = await _runtime.Store.ReleaseAsync(Id, Epoch, cancellationToken).ConfigureAwait(false);
            }

            HandedOver = released == CommitResult.Committed;

            // Clients are sent away when somebody is there to take them.
            if (HandedOver && offers is not null)
                await offers.OfferAsync(this, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is StoreUnavailableException or OperationCanceledException)
        {
            // Not handed over: the others find out that this replica is gone, as after a crash.
            span?.SetTag(AttributeNames.ErrorType, e.GetType().FullName);
            span?.SetStatus(ActivityStatusCode.Error, e.Message);
            LogNotReleased(Id, e.Message);
        }
        catch (Exception e)
        {
            // Damaged in the store, most likely. It ends here; the drain goes on with the other sessions.
            span?.SetTag(AttributeNames.ErrorType, e.GetType().FullName);
            span?.SetStatus(ActivityStatusCode.Error, e.Message);
            LogBroken(e, Id);
        }
        finally
        {
            Close();
        }
    }

    // True: no call is in flight, none was admitted since the last one ended, and none will be.
    private async Task<bool> CloseWhenQuietAsync(CancellationToken giveUp)
    {
        var quiet = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (Gate)
        {
            (_quiet, _closesWhenQuiet) = (quiet, true);
            NoteQuiet();
        }

        await ((Task)Task.WhenAny(quiet.Task, _gone.Task)).WaitAsync(giveUp).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        lock (Gate)
        {
            (_quiet, _closesWhenQuiet) = (null, false);
            return _closedQuiet;
        }
    }

    private async Task<bool> TryHandOverAsync(SessionOffers offers, TimeSpan longest, HandOverTimes when, CancellationToken cancellationToken)
    {
        using var over = CancellationTokenSource.CreateLinkedTokenSource(when.Overdue, when.CalledOff);
        OpenCall[] first;
        lock (Gate)
            first = [.. Calls.Open.Where(call => !call.AwaitsCaller)];
        while (first.Any(call => !call.Ended) && Serves)
        {
            if (over.IsCancellationRequested)
                return false;
            await Task.Delay(Poll, _runtime.Time, over.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        var pause = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var quiet = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (Gate)
        {
            (_pause, _quiet) = (pause, quiet);
            NoteQuiet();
        }

        try
        {
            await ((Task)Task.WhenAny(quiet.Task, _gone.Task)).WaitAsync(longest, _runtime.Time, over.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);

            // What waits is not let in for the last instant.
            var evenWithCalls = when.Overdue.IsCancellationRequested && !when.CalledOff.IsCancellationRequested;
            return await ReleaseAsync(evenWithCalls, cancellationToken, offers).ConfigureAwait(false);
        }
        finally
        {
            lock (Gate)
                (_pause, _quiet) = (null, null);
            pause.SetResult();
        }
    }

    // Under the gate. What a call that must not run twice waits for. Not while the client has been asked something: it may have to call before it answers.
    private TaskCompletionSource? Hold => _hold is { } hold && _questions.IsEmpty ? hold : null;

    private void SetHold(TaskCompletionSource? hold)
    {
        lock (Gate)
            _hold = hold;
    }

    // Under the gate.
    private void NoteQuiet()
    {
        if (Calls.AnyRunning || _quiet is null)
            return;
        if (_closesWhenQuiet && !_closed)
            _closed = _closedQuiet = true;
        _quiet.TrySetResult();
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Session {SessionId} could not be handed over: {Reason}")]
    private partial void LogNotReleased(string sessionId, string reason);

    [LoggerMessage(Level = LogLevel.Error, Message = "Session {SessionId} failed during its hand-over and ends here. Other sessions are not affected.")]
    private partial void LogBroken(Exception exception, string sessionId);
}

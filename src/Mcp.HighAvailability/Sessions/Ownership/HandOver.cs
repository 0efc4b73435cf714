using System.Diagnostics;
using Mcp.HighAvailability.Diagnostics;
using Mcp.HighAvailability.Storage;
using Microsoft.Extensions.Logging;

namespace Mcp.HighAvailability.Sessions;

/// <summary>Gives a session up in good order.</summary>
/// <remarks>
/// What a running call knows is here alone, so a session moves only while it has none. Invariant: a call is either admitted before the session
/// drains, and finishes here, or waits and is served by the next owner.
/// </remarks>
internal sealed partial class HandOver(LiveSession session, SessionOffers? offers = null)
{
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan MaxPause = TimeSpan.FromSeconds(5);

    private readonly ILogger _logger = session.Runtime.Logger;
    private readonly SessionRunner _runner = session.Runner;

    /// <summary>Hands the session over when its calls have finished, or when it is overdue: then the next owner takes them up as after a crash.</summary>
    /// <remarks>
    /// Most sessions come to rest between two calls, and drain in that very moment. One that is used all the time never does. So when
    /// the hurry begins, new calls wait while those that began before finish; a little only, and longer in every
    /// further round, because one of them may take long. Late, what must not run twice does not begin here any more.
    /// </remarks>
    /// <param name="turns">A few sessions that could move at any time do so at once.</param>
    /// <param name="when">How long the session may wait for its calls.</param>
    /// <param name="cancellationToken">Ends the session here without handing it over.</param>
    public async Task RunAsync(HandOverTurns turns, HandOverTimes when, CancellationToken cancellationToken)
    {
        try
        {
            using var late = when.Late.UnsafeRegister(_ => _runner.Run(static core => core.Admission.HoldsOnce = true), null);
            using (var turn = await turns.EnterAsync(cancellationToken).ConfigureAwait(false))
            {
                if (when.CalledOff.IsCancellationRequested)
                    return;
                if (await ReleaseAsync(evenWithCalls: false, cancellationToken).ConfigureAwait(false))
                {
                    await turn.RestAsync(when.Hurry).ConfigureAwait(false);
                    return;
                }
            }

            if (await DrainWhenQuietAsync(when).ConfigureAwait(false))
                await GiveUpAsync(cancellationToken).ConfigureAwait(false);
            else
                await MakeQuietAsync(when, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            _runner.Run(static core => core.Admission.HoldsOnce = false);
        }
    }

    /// <summary>Takes nothing new, writes what is left, and gives up the ownership, so that any replica may take it.</summary>
    /// <param name="evenWithCalls">Also when calls are in flight; otherwise such a session stays.</param>
    /// <param name="cancellationToken">Ends the session here without handing it over.</param>
    /// <returns>Whether it is served here no longer.</returns>
    public async Task<bool> ReleaseAsync(bool evenWithCalls, CancellationToken cancellationToken)
    {
        switch (_runner.Run(evenWithCalls, HandOverSteps.Drain))
        {
            case DrainOutcome.Busy:
                return false;
            case DrainOutcome.Drains:
                await GiveUpAsync(cancellationToken).ConfigureAwait(false);
                break;
        }

        return true;
    }

    // Waits for a moment without calls. Returns whether the session drains by it.
    private async Task<bool> DrainWhenQuietAsync(HandOverTimes when)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(when.Hurry, when.Overdue, when.CalledOff);
        _runner.Run(HandOverSteps.DrainWhenQuiet);
        await _runner.WhenAsync(static core => !core.IsActive).WaitAsync(either.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        return _runner.Run(HandOverSteps.StopDraining);
    }

    // Makes a moment without calls.
    private async Task MakeQuietAsync(HandOverTimes when, CancellationToken cancellationToken)
    {
        using var over = CancellationTokenSource.CreateLinkedTokenSource(when.Overdue, when.CalledOff);
        for (var pause = FirstPause; !when.IsOver; pause = pause * 2 < MaxPause ? pause * 2 : MaxPause)
        {
            var first = _runner.Read(static core => core.Calls.Open.Where(static call => !call.AwaitsCaller).ToArray());
            await _runner.WhenAsync(core => !core.IsActive || first.All(static call => call.Ended))
                .WaitAsync(over.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (over.IsCancellationRequested)
                break;
            if (await TryReleaseAsync(pause, when, over.Token, cancellationToken).ConfigureAwait(false))
                return;
        }

        if (!when.CalledOff.IsCancellationRequested)
            await ReleaseAsync(evenWithCalls: true, cancellationToken).ConfigureAwait(false);
    }

    private async Task<bool> TryReleaseAsync(TimeSpan longest, HandOverTimes when, CancellationToken over, CancellationToken cancellationToken)
    {
        _runner.Run(static core => core.Admission.Paused = true);
        try
        {
            await _runner.WhenAsync(static core => !core.IsActive || !core.Calls.AnyRunning)
                .WaitAsync(longest, session.Runtime.Time, over).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);

            // What waits is not let in for the last instant.
            var evenWithCalls = when.Overdue.IsCancellationRequested && !when.CalledOff.IsCancellationRequested;
            return await ReleaseAsync(evenWithCalls, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            _runner.Run(static core => core.Admission.Paused = false);
        }
    }

    // Once per session: the step that has made it drain says who does this.
    private async Task GiveUpAsync(CancellationToken cancellationToken)
    {
        using var span = session.Trace(SpanNames.HandOver);
        using var scope = session.BeginScope();
        span?.SetTag(AttributeNames.From, session.Runtime.ReplicaId);
        try
        {
            _runner.Run(BroadcastSteps.RecordIfAhead);
            await session.DrainAsync().WaitAsync(cancellationToken).ConfigureAwait(false);
            // A release goes by the epoch alone. A store that has lost a take-over gives its epoch, which is above 1, again.
            if (session.Epoch > 1 && await session.IsAnothersAsync(cancellationToken).ConfigureAwait(false))
                return;
            var released = await ReleaseAsync(cancellationToken).ConfigureAwait(false);

            // As often as the store loses it: this copy may be the only one.
            while (released == CommitResult.Lost)
            {
                await session.VerifyAsync().WaitAsync(cancellationToken).ConfigureAwait(false);
                released = await ReleaseAsync(cancellationToken).ConfigureAwait(false);
            }

            // Clients are sent away only while another replica can take them.
            if (released == CommitResult.Committed && _runner.Run(static core => core.TryBecome(SessionPhase.Released)) && offers is not null)
                await offers.OfferAsync(session, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is StoreUnavailableException or OperationCanceledException)
        {
            // Not handed over: the others find out that this replica is gone, as after a crash.
            Note(span, e);
            LogNotReleased(session.Id, e.Message);
        }
        catch (Exception e)
        {
            // Damaged in the store, most likely. It ends here; the drain goes on with the other sessions.
            Note(span, e);
            LogBroken(e, session.Id);
        }
        finally
        {
            session.CloseHandedOver();
        }
    }

    private ValueTask<CommitResult> ReleaseAsync(CancellationToken cancellationToken) =>
        session.Runtime.Store.ReleaseAsync(session.Id, session.Epoch, cancellationToken);

    private static void Note(Activity? span, Exception e)
    {
        span?.SetTag(AttributeNames.ErrorType, e.GetType().FullName);
        span?.SetStatus(ActivityStatusCode.Error, e.Message);
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Session {SessionId} not handed over: {Reason} Another replica takes it over when its client asks.")]
    private partial void LogNotReleased(string sessionId, string reason);

    [LoggerMessage(
        Level = LogLevel.Error,
        Message = "Hand-over of session {SessionId} failed. The session is closed on this replica. Other sessions are not affected.")]
    private partial void LogBroken(Exception exception, string sessionId);
}

using Mcp.HighAvailability.Cluster;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using PeerRelay = Mcp.HighAvailability.Relay.Relay;

namespace Mcp.HighAvailability.Sessions;

/// <summary>Hands all sessions of this replica over: idle ones at once, the others when their calls have finished.</summary>
/// <remarks>
/// Either because the process ends, and then within <c>DrainTimeout</c>; or because an operator asked, and then without haste: no call is ever broken off,
/// the replica stays up, and serves on if it is the last one.
/// </remarks>
internal sealed partial class ReplicaDrain(
    SessionHost host, SessionOffers offers, SelfReplica self, ReplicaDirectory directory, PeerRelay relay, IDrainedStreams listens, IDrainedTasks tasks,
    LateRequests requests, TimeProvider time, IOptions<HighAvailabilityOptions> options, ILogger<ReplicaDrain> logger)
{
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(20);

    // What comes back to a replica that an operator has drained is handed over again.
    private static readonly TimeSpan LazyPoll = TimeSpan.FromMilliseconds(500);

    // In the first quarter of the time for draining, sessions that are used all the time are left alone in the hope of a moment without calls. In the
    // last one, what must not run twice does not begin here any more, so that it is not broken off. That wait is bounded.
    private const int Quarters = 4;
    private static readonly TimeSpan MaxHold = TimeSpan.FromSeconds(10);

    private readonly Lock _gate = new();
    private readonly CancellationTokenSource _shutDown = new();
    private CancellationTokenSource? _calledOff;
    private Task _draining = Task.CompletedTask;

    /// <summary>
    /// Begins to drain for an operator, unless this replica drains already. <see langword="false"/>: there is no other replica to take its sessions.
    /// </summary>
    public bool Begin()
    {
        lock (_gate)
        {
            if (self.Draining)
                return true;
            if (host.Successor(self.Id) is null)
                return false;
            self.Stays = self.Draining = host.Draining = true;
            _calledOff = new();
            _draining = ForOperatorAsync(_draining, _calledOff.Token);
        }

        directory.Announce();
        return true;
    }

    /// <summary>Takes sessions again. Does nothing while the process ends.</summary>
    public void CallOff()
    {
        lock (_gate)
        {
            if (!self.Stays)
                return;
            self.Stays = self.Draining = host.Draining = false;
            _ = _calledOff?.CancelAsync();
        }

        LogResumed();
        directory.Announce();
    }

    /// <summary>Drains because the process ends.</summary>
    /// <param name="cancellationToken">Ends what is left here without handing it over.</param>
    public async Task EndAsync(CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            self.Stays = false;
            self.Draining = host.Draining = host.Ending = true;
            _ = _calledOff?.CancelAsync();
        }

        directory.Announce();
        listens.EndAll(forGood: true);
        var tasksLeave = tasks.DrainAsync(cancellationToken);
        using (cancellationToken.UnsafeRegister(static source => ((CancellationTokenSource)source!).Cancel(), _shutDown))
            await _draining.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);

        var begun = time.GetTimestamp();
        var sessions = host.SessionCount;
        if (sessions > 0)
            LogDraining(sessions, host.CallCount);
        using var timeout = new CancellationTokenSource(options.Value.DrainTimeout, time);
        using var overdue = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellationToken);
        using var hurry = new CancellationTokenSource(options.Value.DrainTimeout / Quarters, time);
        using var late = new CancellationTokenSource(options.Value.DrainTimeout - LateFor(options.Value.DrainTimeout), time);
        var when = new HandOverTimes(hurry.Token, late.Token, overdue.Token, CalledOff: default);

        // Also those that were on their way here when it began, and come later.
        var arriving = host.TakenOverAsync();
        Dictionary<LiveSession, Task> moving = [];
        while (host.SessionCount > 0 || (!arriving.IsCompleted && !cancellationToken.IsCancellationRequested))
        {
            foreach (var session in host.Sessions)
            {
                if (!moving.TryGetValue(session, out var move) || move.IsCompleted)
                    moving[session] = HandOverAsync(session, when, cancellationToken);
            }

            await Task.Delay(Poll, time, CancellationToken.None).ConfigureAwait(false);
        }

        await Task.WhenAll(moving.Values).ConfigureAwait(false);

        // Streams of other replicas' sessions, which clients have open through this one.
        relay.EndStreams();
        if (sessions > 0)
            LogDrained(sessions, time.GetElapsedTime(begun).TotalMilliseconds);

        // Before the listening socket closes: from then on others may find this replica lost, and with it its tasks.
        await tasksLeave.ConfigureAwait(false);
        await requests.WhenCeasedAsync(overdue.Token).ConfigureAwait(false);
    }

    // Never throws: a session that cannot be handed over ends here, and its next request finds it elsewhere, as after a crash.
    private async Task HandOverAsync(LiveSession session, HandOverTimes when, CancellationToken cancellationToken)
    {
        try
        {
            await new HandOver(session, offers).RunAsync(offers.Turns, when, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e)
        {
            if (!cancellationToken.IsCancellationRequested)
                LogSessionFailed(e, session.Id);
            session.Close();
        }
    }

    private static TimeSpan LateFor(TimeSpan drain) => drain / Quarters < MaxHold ? drain / Quarters : MaxHold;

    private async Task ForOperatorAsync(Task before, CancellationToken calledOff)
    {
        await Task.Yield();
        await before.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        var begun = time.GetTimestamp();
        var sessions = host.SessionCount;
        LogDrainingForOperator(sessions, host.CallCount);
        listens.EndAll(forGood: false);
        using var hurry = new CancellationTokenSource(options.Value.DrainTimeout / Quarters, time);
        var when = new HandOverTimes(hurry.Token, Late: default, Overdue: default, calledOff);
        for (var empty = false; !calledOff.IsCancellationRequested;)
        {
            try
            {
                // Without a replica that could take them, sessions stay here.
                if (host.SessionCount > 0 && host.Successor(self.Id) is not null && !directory.RegistryAway)
                    await Task.WhenAll(host.Sessions.Select(s => HandOverAsync(s, when, _shutDown.Token))).ConfigureAwait(false);
            }
            catch (Exception e)
            {
                LogFailed(e);
            }

            if (!empty && host.SessionCount == 0)
            {
                empty = true;
                relay.EndOpenStreams();
                if (sessions > 0)
                    LogDrained(sessions, time.GetElapsedTime(begun).TotalMilliseconds);
            }

            await Task.Delay(empty ? LazyPoll : Poll, time, calledOff).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    [LoggerMessage(
        Level = LogLevel.Information,
        Message = "Draining because this replica shuts down. Sessions to hand over: {Sessions}. Calls to finish first: {Calls}.")]
    private partial void LogDraining(int sessions, int calls);

    [LoggerMessage(
        Level = LogLevel.Information,
        Message = "Draining because an operator asked. This replica stays up. Sessions to hand over: {Sessions}. Calls to finish first: {Calls}.")]
    private partial void LogDrainingForOperator(int sessions, int calls);

    [LoggerMessage(Level = LogLevel.Information, Message = "Drained in {Milliseconds:0} ms. Sessions handed over: {Sessions}.")]
    private partial void LogDrained(int sessions, double milliseconds);

    [LoggerMessage(Level = LogLevel.Information, Message = "Resumed because an operator asked. This replica takes sessions again.")]
    private partial void LogResumed();

    [LoggerMessage(Level = LogLevel.Error, Message = "Hand-over of sessions failed. The next attempt follows.")]
    private partial void LogFailed(Exception exception);

    [LoggerMessage(
        Level = LogLevel.Error,
        Message = "Hand-over of session {SessionId} failed. The session is closed on this replica. The drain continues with the others.")]
    private partial void LogSessionFailed(Exception exception, string sessionId);
}

using System.Collections.Concurrent;
using Mcp.HighAvailability.Sessions;
using Mcp.HighAvailability.Storage;
using Mcp.HighAvailability.Timing;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Mcp.HighAvailability.Http;

/// <summary>Ends sessions of HTTP+SSE (2024-11-05) whose one stream has no reader: with the stream the session ends.</summary>
/// <remarks>
/// A stream that breaks may be the client's end, or the balancer's that is about to go on with it. So a session without a reader waits as long as a
/// balancer looks for the next owner (<see cref="HighAvailabilityOptions.HoldTime"/>), at each owner.
/// </remarks>
internal sealed partial class UnheardSessions : ISessionObserver, IDisposable
{
    private readonly ConcurrentDictionary<LiveSession, Readers> _sessions = new();
    private readonly TimeSpan _holdTime;
    private readonly DueTimer<LiveSession> _timer;
    private readonly ILogger _logger;

    public UnheardSessions(TimeProvider time, IOptions<HighAvailabilityOptions> options, ILogger<UnheardSessions> logger)
    {
        (_holdTime, _logger) = (options.Value.HoldTime, logger);
        _timer = new(time, _holdTime / 8 < TimeSpan.FromSeconds(1) ? _holdTime / 8 : TimeSpan.FromSeconds(1), OnDue, logger);
    }

    void ISessionObserver.Began(LiveSession session)
    {
        if (session.HasOneStream)
            Change(session, 0);
    }

    void ISessionObserver.Left(LiveSession session)
    {
        if (_sessions.TryRemove(session, out var readers))
        {
            lock (readers)
                StopWaiting(readers);
        }
    }

    /// <summary>Notes that a client reads the stream, until the result is disposed.</summary>
    public IDisposable Read(LiveSession session)
    {
        Change(session, 1);
        return new Reading(this, session);
    }

    public void Dispose() => _timer.Dispose();

    private void Change(LiveSession session, int by)
    {
        if (!session.Serves)
            return;
        var readers = _sessions.GetOrAdd(session, static _ => new());
        lock (readers)
        {
            readers.Count += by;
            StopWaiting(readers);
            if (readers.Count == 0)
                readers.Wait = _timer.Add(session, _holdTime);
        }

        // It may have left at this very moment.
        if (!session.Serves)
            ((ISessionObserver)this).Left(session);
    }

    private void StopWaiting(Readers readers)
    {
        if (readers.Wait is { } wait)
            _timer.Remove(wait);
        readers.Wait = null;
    }

    private TimeSpan OnDue(LiveSession session)
    {
        if (_sessions.TryGetValue(session, out var readers))
        {
            lock (readers)
                StopWaiting(readers);
            _ = EndAsync(session, readers);
        }

        return _holdTime;
    }

    private async Task EndAsync(LiveSession session, Readers readers)
    {
        try
        {
            // While the store is away the session cannot be ended, nor can a balancer go on with it.
            await session.VerifyAsync().ConfigureAwait(false);
            if (readers.Count == 0 && session.Runner.Run(static core => !core.GetStreams.HasReader && core.TryBecome(SessionPhase.Draining)))
                await session.EndAsync("no listener", CancellationToken.None).ConfigureAwait(false);
        }
        catch (Exception e) when (e is StoreUnavailableException or OperationCanceledException)
        {
            // Another replica has it, or the store went away again: there it expires.
        }
        catch (Exception e)
        {
            LogNotEnded(e, session.Id);
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "Session {SessionId} without a reader could not be ended. It expires.")]
    private partial void LogNotEnded(Exception exception, string sessionId);

    private sealed class Readers
    {
        public volatile int Count;

        public Due<LiveSession>? Wait;
    }

    private sealed class Reading(UnheardSessions sessions, LiveSession session) : IDisposable
    {
        public void Dispose() => sessions.Change(session, -1);
    }
}

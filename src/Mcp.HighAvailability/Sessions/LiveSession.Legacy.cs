using Mcp.HighAvailability.Journal;
using Microsoft.Extensions.Logging;

namespace Mcp.HighAvailability.Sessions;

/// <summary>Sessions of HTTP+SSE (2024-11-05): everything goes out on one stream, and with that the session ends.</summary>
/// <remarks>
/// A stream that breaks may be the client's end, or the balancer's that is about to go on with it: so a session without a listener waits as long as
/// a balancer looks for the next owner (<see cref="HighAvailabilityOptions.HoldTime"/>), wherever it lives then.
/// </remarks>
internal sealed partial class LiveSession
{
    private int _listeners;
    private ITimer? _unattended;

    public bool IsLegacy => GetStreams.Only is not null;

    /// <summary>Opens the one stream at its beginning. <see langword="null"/>: the session is no longer served here.</summary>
    public StreamSubscription? OpenOnly()
    {
        lock (Gate)
            return _closed ? null : GetStreams.Only!.Attach();
    }

    /// <summary>Notes that somebody listens to the one stream, until the result is disposed of.</summary>
    public IDisposable Listen()
    {
        lock (Gate)
            _listeners++;
        StopAwaitingListener();
        return new Listener(this);
    }

    private void AwaitListener()
    {
        if (!IsLegacy)
            return;
        lock (Gate)
        {
            if (_closed || _listeners > 0)
                return;
            _unattended?.Dispose();
            _unattended = _runtime.Time.CreateTimer(static s => _ = ((LiveSession)s!).EndUnheardAsync(), this, _runtime.Options.HoldTime, Timeout.InfiniteTimeSpan);
        }
    }

    private void StopAwaitingListener()
    {
        lock (Gate)
        {
            _unattended?.Dispose();
            _unattended = null;
        }
    }

    private async Task EndUnheardAsync()
    {
        try
        {
            // While the store is away the session cannot be ended, nor can a balancer go on with it.
            await VerifyAsync().ConfigureAwait(false);
            lock (Gate)
            {
                if (_closed || _listeners > 0)
                    return;
                _closed = true;
            }

            await EndAsync("nobody listens", CancellationToken.None).ConfigureAwait(false);
        }
        catch (Exception e) when (e is StoreUnavailableException or OperationCanceledException)
        {
            // Another replica has it, or the store went away again: there it expires.
        }
        catch (Exception e)
        {
            LogNotEnded(e, Id);
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "Session {SessionId}, to which nobody listens, could not be ended; it expires.")]
    private partial void LogNotEnded(Exception exception, string sessionId);

    private sealed class Listener(LiveSession session) : IDisposable
    {
        public void Dispose()
        {
            lock (session.Gate)
                session._listeners--;
            session.AwaitListener();
        }
    }
}

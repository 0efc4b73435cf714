using Mcp.HighAvailability.Storage;
using Microsoft.Extensions.Logging;

namespace Mcp.HighAvailability.Sessions;

/// <summary>Sessions of HTTP+SSE (2024-11-05): everything goes out on one stream, and with that the session ends.</summary>
/// <remarks>
/// A stream that breaks may be the client's end, or the balancer's that is about to go on with it: so a session without a listener waits as long as
/// a balancer looks for the next owner (<see cref="HighAvailabilityOptions.HoldTime"/>), wherever it lives then.
/// </remarks>
internal sealed partial class LegacyListeners(LiveSession session)
{
    private readonly ILogger _logger = session.Runtime.Logger;
    private ITimer? _unattended;

    /// <summary>Opens the one stream at its beginning. <see langword="null"/>: the session is no longer served here.</summary>
    public StreamSubscription? OpenOnly() => session.Runner.Run(StreamSteps.OpenOnly);

    /// <summary>Notes a listener of the one stream, until the result is disposed of.</summary>
    public IDisposable Listen()
    {
        session.Runner.Run(static core => ++core.Listeners);
        StopAwaiting();
        return new Listener(this);
    }

    /// <summary>Ends the session unless a listener comes in time.</summary>
    public void Await()
    {
        if (!session.IsLegacy || !session.Runner.Read(static core => core.IsActive && core.Listeners == 0))
            return;
        var timer = session.Runtime.Time.CreateTimer(
            static s => _ = ((LegacyListeners)s!).EndUnheardAsync(), this, session.Runtime.Options.HoldTime, Timeout.InfiniteTimeSpan);
        Interlocked.Exchange(ref _unattended, timer)?.Dispose();
    }

    public void StopAwaiting() => Interlocked.Exchange(ref _unattended, null)?.Dispose();

    private async Task EndUnheardAsync()
    {
        try
        {
            // While the store is away the session cannot be ended, nor can a balancer go on with it.
            await session.VerifyAsync().ConfigureAwait(false);
            if (session.Runner.Run(static core => core.Listeners == 0 && core.TryBecome(SessionPhase.Draining)))
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

    [LoggerMessage(Level = LogLevel.Error, Message = "Session {SessionId} has no listener and could not be ended. It expires.")]
    private partial void LogNotEnded(Exception exception, string sessionId);

    private sealed class Listener(LegacyListeners listeners) : IDisposable
    {
        public void Dispose()
        {
            listeners.End();
            listeners.Await();
        }
    }

    private void End() => session.Runner.Run(static core => --core.Listeners);
}

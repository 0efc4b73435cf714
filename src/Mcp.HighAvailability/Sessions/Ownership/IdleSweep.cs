using Mcp.HighAvailability.Storage;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Mcp.HighAvailability.Sessions;

/// <summary>Ends sessions that were not used for long. One timer per process; an idle session costs nothing.</summary>
internal sealed partial class IdleSweep(SessionHost host, TimeProvider time, IOptions<SessionStoreOptions> options, ILogger<IdleSweep> logger)
    : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var period = options.Value.IdleTimeoutOf(used: false) / 8;
        using var timer = new PeriodicTimer(period < TimeSpan.FromMinutes(1) ? period : TimeSpan.FromMinutes(1), time);
        while (await timer.WaitForNextTickAsync(stoppingToken).ConfigureAwait(false))
        {
            foreach (var session in host.Sessions)
            {
                try
                {
                    await SweepAsync(session, stoppingToken).ConfigureAwait(false);
                }
                catch (StoreUnavailableException e)
                {
                    LogLater(e.Message);
                    break;
                }
                catch (OperationCanceledException) when (!stoppingToken.IsCancellationRequested)
                {
                    // Another replica owns the session now.
                }
                catch (Exception e) when (e is not OperationCanceledException)
                {
                    // What is wrong with one session is no reason to leave the others, or to stop the server.
                    LogFailed(e, session.Id);
                }
            }
        }
    }

    private async Task SweepAsync(LiveSession session, CancellationToken cancellationToken)
    {
        // Calls that write nothing do not renew the store's expiry.
        var idle = options.Value.IdleTimeout / 2;
        if (session.InUse || session.TouchDue || session.WasUsed && time.GetElapsedTime(session.LastUsed) < idle)
            await session.KeepAsync(idle).ConfigureAwait(false);
        else
            await session.EndIdleAsync(options.Value.IdleTimeoutOf(session.WasUsed), cancellationToken).ConfigureAwait(false);
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "Idle session {SessionId} could not be ended. Other sessions are not affected.")]
    private partial void LogFailed(Exception exception, string sessionId);

    [LoggerMessage(Level = LogLevel.Debug, Message = "Idle sessions are ended later: {Reason}")]
    private partial void LogLater(string reason);
}

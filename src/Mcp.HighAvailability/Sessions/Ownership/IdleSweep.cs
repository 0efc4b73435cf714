using Mcp.HighAvailability.Storage;
using Mcp.HighAvailability.Timing;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Mcp.HighAvailability.Sessions;

/// <summary>Ends sessions that were not used for long. One timer per process, and no work for sessions that are not due.</summary>
internal sealed partial class IdleSweep(SessionHost host, TimeProvider time, IOptions<SessionStoreOptions> options, ILogger<IdleSweep> logger)
    : BackgroundService
{
    // A session is looked at so often in the time after which it ends.
    private const int Looks = 8;

    private readonly TimeSpan _period = Min(options.Value.IdleTimeoutOf(used: false) / Looks, TimeSpan.FromMinutes(1));

    /// <summary>Looks at the sessions that are due. Returns how many these were.</summary>
    internal async Task<int> SweepAsync(CancellationToken cancellationToken)
    {
        var looks = 0;
        for (; host.Looks.TryTake() is { Item: { } session } look; looks++)
        {
            var next = _period;
            try
            {
                await SweepAsync(session, cancellationToken).ConfigureAwait(false);
                next = NextLook(session);
            }
            catch (StoreUnavailableException e)
            {
                LogLater(e.Message);
                return looks;
            }
            catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
            {
                // Another replica owns the session now.
            }
            catch (Exception e) when (e is not OperationCanceledException)
            {
                // What is wrong with one session is no reason to leave the others, or to stop the server.
                LogFailed(e, session.Id);
            }
            finally
            {
                host.Looks.Again(look, next);
            }
        }

        return looks;
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(_period, time);
        while (await timer.WaitForNextTickAsync(stoppingToken).ConfigureAwait(false))
            await SweepAsync(stoppingToken).ConfigureAwait(false);
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

    // A session that was never used may be used for the first time at any moment, and the store has to hear of that soon.
    private TimeSpan NextLook(LiveSession session)
    {
        var limit = options.Value.IdleTimeoutOf(session.WasUsed);
        var left = limit - time.GetElapsedTime(session.LastUsed);
        return left > TimeSpan.Zero ? Min(left, limit / Looks) : _period;
    }

    private static TimeSpan Min(TimeSpan one, TimeSpan other) => one < other ? one : other;

    [LoggerMessage(Level = LogLevel.Error, Message = "Idle session {SessionId} could not be ended. Other sessions are not affected.")]
    private partial void LogFailed(Exception exception, string sessionId);

    [LoggerMessage(Level = LogLevel.Debug, Message = "Idle sessions are ended later: {Reason}")]
    private partial void LogLater(string reason);
}

using Mcp.HighAvailability.Cluster;
using Mcp.HighAvailability.Stateless;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Mcp.HighAvailability.Sessions;

/// <summary>Lets a replica that alone is cut off from the store send its clients elsewhere, instead of keeping them waiting.</summary>
/// <remarks>
/// Its sessions stay in memory, and nothing of them is shown: whoever a peer has taken over ends at the first commit that arrives, all
/// others go on here when the store is back.
/// </remarks>
internal sealed partial class IsolationWatch(
    SessionHost host, ListenStreams listens, Standing standing, IOptions<ClusterOptions> options, TimeProvider time, ILogger<IsolationWatch> logger) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var was = false;
        using var timer = new PeriodicTimer(options.Value.HeartbeatInterval / 2, time);
        while (await timer.WaitForNextTickAsync(stoppingToken).ConfigureAwait(false))
        {
            try
            {
                var isolated = await standing.LookAsync(stoppingToken).ConfigureAwait(false);
                if (isolated != was)
                    LogChanged(isolated);
                was = isolated;
                if (!isolated)
                    continue;
                foreach (var session in host.Sessions)
                    SendElsewhere(session);
                listens.EndAll(forGood: false); // they would hear nothing here
            }
            catch (Exception e) when (e is not OperationCanceledException || !stoppingToken.IsCancellationRequested)
            {
                LogFailed(e);
            }
        }
    }

    private void SendElsewhere(LiveSession session)
    {
        try
        {
            session.SendElsewhere();
        }
        catch (Exception e)
        {
            LogNotSentElsewhere(e, session.Id);
        }
    }

    private void LogChanged(bool isolated)
    {
        if (isolated)
            LogIsolated(host.SessionCount);
        else
            LogBack(host.SessionCount);
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "This replica cannot reach the store and others can: the clients of its {Sessions} sessions are sent to them.")]
    private partial void LogIsolated(int sessions);

    [LoggerMessage(Level = LogLevel.Information, Message = "This replica serves again; {Sessions} sessions are still its own.")]
    private partial void LogBack(int sessions);

    [LoggerMessage(Level = LogLevel.Error, Message = "Asking the peers for the store failed; the next attempt follows.")]
    private partial void LogFailed(Exception exception);

    [LoggerMessage(Level = LogLevel.Error, Message = "Session {SessionId}: its clients could not be sent to another replica. Other sessions are not affected.")]
    private partial void LogNotSentElsewhere(Exception exception, string sessionId);
}

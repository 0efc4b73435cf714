using System.Text.Json.Nodes;
using Mcp.HighAvailability;
using Microsoft.Extensions.Hosting;

/// <summary>Tells subscribers the price. Runs on one replica, and on another one when that is lost.</summary>
public sealed class PriceWatch(IMcpSessions sessions, ClusterLease lease) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(250));
        for (var price = 1; await timer.WaitForNextTickAsync(stoppingToken); price++)
        {
            // A step that must not happen twice asks first: this replica may have been paused.
            if (!await lease.VerifyAsync(stoppingToken))
                return;
            foreach (var session in await sessions.FindSubscribersAsync("price://acme", stoppingToken))
                await sessions.NotifyAsync(session, "notifications/acme/price", new JsonObject { ["price"] = price }, stoppingToken);
        }
    }
}

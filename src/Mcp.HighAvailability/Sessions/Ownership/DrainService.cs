using Mcp.HighAvailability.Cluster;
using Microsoft.Extensions.Hosting;

namespace Mcp.HighAvailability.Sessions;

/// <summary>Says where this replica is when it is bound, and hands its sessions over when the process is told to stop.</summary>
/// <remarks>Runs before the web server stops, so requests are served, or passed on, all the while.</remarks>
internal sealed class DrainService(ReplicaDrain drain, ReplicaDirectory directory) : IHostedLifecycleService
{
    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken)
    {
        directory.Announce();
        return Task.CompletedTask;
    }

    public Task StoppingAsync(CancellationToken cancellationToken) => drain.EndAsync(cancellationToken);

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}

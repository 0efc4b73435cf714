using Microsoft.Extensions.Hosting;

namespace Mcp.HighAvailability.Diagnostics;

/// <summary>Publishes counters with 0 when the process has started: those who collect metrics listen by then.</summary>
internal sealed class CounterStart(IEnumerable<IStartsAtZero> counters) : IHostedLifecycleService
{
    public Task StartedAsync(CancellationToken cancellationToken)
    {
        foreach (var counter in counters)
            counter.PublishZeros();
        return Task.CompletedTask;
    }

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}

using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Mcp.HighAvailability.Tasks;

/// <summary>
/// Hands the tasks of this replica over when the process is told to stop. Short ones finish first; so do those that must not run twice, while there
/// is time.
/// </summary>
internal sealed partial class TaskDrain(TaskHost host, IOptions<HighAvailabilityOptions> ha, TimeProvider time, ILogger<TaskDrain> logger)
    : IHostedLifecycleService
{
    /// <summary>Tasks that may run elsewhere may finish here for one of so many parts of the time for draining.</summary>
    public const int Quarters = 4;

    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(20);

    private Task _draining = Task.CompletedTask;

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    // Begins, beside the drain of sessions.
    public Task StoppingAsync(CancellationToken cancellationToken)
    {
        _draining = DrainAsync(cancellationToken);
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken) => _draining;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private async Task DrainAsync(CancellationToken cancellationToken)
    {
        if (host.Running.Count == 0)
            return;
        var begun = time.GetTimestamp();
        LogDraining(host.Running.Count);
        await WaitAsync(ha.Value.DrainTimeout / Quarters, () => host.Running.Count == 0 || host.Running.All(task => task.Waits));
        await host.HandOverAsync();
        await WaitAsync(ha.Value.DrainTimeout, () => host.Running.Count == 0);
        await host.AbandonAsync();

        async Task WaitAsync(TimeSpan atMost, Func<bool> done)
        {
            while (!done() && time.GetElapsedTime(begun) < atMost && !cancellationToken.IsCancellationRequested)
                await Task.Delay(Poll, time, CancellationToken.None);
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Draining tasks: each finishes or is handed over. Tasks: {Tasks}.")]
    private partial void LogDraining(int tasks);
}

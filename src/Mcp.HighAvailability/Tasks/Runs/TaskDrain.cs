using Mcp.HighAvailability.Sessions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Mcp.HighAvailability.Tasks;

/// <summary>
/// Hands the tasks of this replica over when the process is told to stop. Short ones finish first; so do those that must not run twice, while there
/// is time.
/// </summary>
/// <remarks>
/// Invariant: no task runs here when the process ends in good order. The drain runs once beside the drain of sessions, and again when the web server
/// has stopped, as calls that were in flight may have become tasks meanwhile. Both share one <c>DrainTimeout</c>.
/// </remarks>
internal sealed partial class TaskDrain(TaskHost host, IOptions<HighAvailabilityOptions> ha, TimeProvider time, ILogger<TaskDrain> logger)
    : IDrainedTasks, IHostedService
{
    /// <summary>Tasks that may run elsewhere may finish here for one of so many parts of the time for draining.</summary>
    public const int Quarters = 4;

    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(20);

    private long? _begun;

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>Runs after the web server has stopped: the host stops services in the reverse order, and adds the web server last.</summary>
    public Task StopAsync(CancellationToken cancellationToken) => DrainAsync(cancellationToken);

    public async Task DrainAsync(CancellationToken cancellationToken)
    {
        var begun = _begun ??= time.GetTimestamp();
        if (host.Running.Count == 0)
            return;
        try
        {
            LogDraining(host.Running.Count);
            await WaitAsync(ha.Value.DrainTimeout / Quarters, () => host.Running.Count == 0 || host.Running.All(task => task.Waits));
            await host.HandOverAsync();
            await WaitAsync(ha.Value.DrainTimeout, () => host.Running.Count == 0);
            await host.AbandonAsync();
        }
        catch (Exception e)
        {
            LogFailed(e);
        }

        async Task WaitAsync(TimeSpan atMost, Func<bool> done)
        {
            while (!done() && time.GetElapsedTime(begun) < atMost && !cancellationToken.IsCancellationRequested)
                await Task.Delay(Poll, time, CancellationToken.None);
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Draining tasks: each finishes or is handed over. Tasks: {Tasks}.")]
    private partial void LogDraining(int tasks);

    [LoggerMessage(Level = LogLevel.Error, Message = "The drain of tasks failed. Other replicas take over what is left when this process has ended.")]
    private partial void LogFailed(Exception exception);
}

using McpHa.HighAvailability.Cluster;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace McpHa.HighAvailability.Sessions;

/// <summary>Hands all sessions over when the process is told to stop: idle ones at once, the others when their calls have finished.</summary>
/// <remarks>Runs before the web server stops, so requests are served, or passed on, all the while.</remarks>
internal sealed partial class DrainService(
    SessionHost host, SelfReplica self, ReplicaDirectory directory, TimeProvider time, IOptions<HighAvailabilityOptions> options, ILogger<DrainService> logger)
    : IHostedLifecycleService
{
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(20);

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    // The server is bound now: say where.
    public Task StartedAsync(CancellationToken cancellationToken)
    {
        directory.Announce();
        return Task.CompletedTask;
    }

    public async Task StoppingAsync(CancellationToken cancellationToken)
    {
        var begun = time.GetTimestamp();
        var sessions = host.SessionCount;
        self.Draining = host.Draining = true;
        directory.Announce();
        if (sessions > 0)
            LogDraining(sessions, host.CallCount);

        while (host.SessionCount > 0)
        {
            var overdue = time.GetElapsedTime(begun) >= options.Value.DrainTimeout || cancellationToken.IsCancellationRequested;
            await Task.WhenAll(host.Sessions.Select(s => s.ReleaseAsync(evenWithCalls: overdue, cancellationToken))).ConfigureAwait(false);
            if (host.SessionCount > 0)
                await Task.Delay(Poll, time, CancellationToken.None).ConfigureAwait(false);
        }

        if (sessions > 0)
            LogDrained(sessions, time.GetElapsedTime(begun).TotalMilliseconds);
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    [LoggerMessage(Level = LogLevel.Information, Message = "Draining: {Sessions} sessions are handed over, {Calls} calls in flight finish first.")]
    private partial void LogDraining(int sessions, int calls);

    [LoggerMessage(Level = LogLevel.Information, Message = "Drained: {Sessions} sessions were handed over in {Milliseconds:0} ms.")]
    private partial void LogDrained(int sessions, double milliseconds);
}

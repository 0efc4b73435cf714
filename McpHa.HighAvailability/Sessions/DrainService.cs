using McpHa.HighAvailability.Cluster;
using McpHa.HighAvailability.Stateless;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using PeerRelay = McpHa.HighAvailability.Relay.Relay;

namespace McpHa.HighAvailability.Sessions;

/// <summary>Hands all sessions over when the process is told to stop: idle ones at once, the others when their calls have finished.</summary>
/// <remarks>Runs before the web server stops, so requests are served, or passed on, all the while.</remarks>
internal sealed partial class DrainService(
    SessionHost host, SessionOffers offers, SelfReplica self, ReplicaDirectory directory, PeerRelay relay, ListenStreams listens, TimeProvider time, IOptions<HighAvailabilityOptions> options, ILogger<DrainService> logger)
    : IHostedLifecycleService
{
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(20);

    // For this part of the time for draining, sessions that are used all the time are left alone in the hope of a moment without calls.
    private const int HurryAfter = 4;

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
        listens.EndAll(forGood: true);
        if (sessions > 0)
            LogDraining(sessions, host.CallCount);

        using var patience = new CancellationTokenSource(options.Value.DrainTimeout, time);
        using var overdue = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, cancellationToken);
        using var hurry = new CancellationTokenSource(options.Value.DrainTimeout / HurryAfter, time);
        while (host.SessionCount > 0)
        {
            await Task.WhenAll(host.Sessions.Select(s => s.HandOverAsync(offers, hurry.Token, overdue.Token, cancellationToken))).ConfigureAwait(false);
            if (host.SessionCount > 0)
                await Task.Delay(Poll, time, CancellationToken.None).ConfigureAwait(false);
        }

        // Streams of other replicas' sessions, which clients have open through this one.
        relay.EndStreams();
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

using System.Collections.Concurrent;
using System.Text;
using Mcp.HighAvailability.Broadcast;
using Mcp.HighAvailability.Cluster;
using Mcp.HighAvailability.Storage;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Mcp.HighAvailability.Sessions;

/// <summary>Finds a session its next owner before its clients ask for it: a replica that drains offers what it has released, another takes it over.</summary>
/// <remarks>
/// The offer goes to the replica that balancers will choose too. It only saves time: one that is not heard leaves the session to its next request,
/// and one that is forged or stale costs a look into the store, which alone decides who owns a session.
/// </remarks>
internal sealed partial class SessionOffers(
    IEventBus bus, SessionHost host, SelfReplica self, TimeProvider time, ILogger<SessionOffers> logger) : IHostedService
{
    private const string Topic = "offers";

    // So many idle sessions move at once. More would only wait for each other, with their clients.
    private static readonly int AtOnce = Math.Clamp(Environment.ProcessorCount, 2, 8);

    private static readonly TimeSpan OfferTimeout = TimeSpan.FromMilliseconds(250);

    // A replica that did not take the last offer gets no other one for so long: it may be ending, too.
    private static readonly TimeSpan Rest = TimeSpan.FromSeconds(10);

    private readonly ConcurrentDictionary<string, long> _deaf = new(StringComparer.Ordinal);

    private readonly CancellationTokenSource _stopping = new();
    private readonly BusListener _listener = new(bus, Topic, time, logger);

    /// <summary>Turns of sessions that could move at any time.</summary>
    public HandOverTurns Turns { get; } = new(time, AtOnce);

    /// <summary>Offers a session that was released. Completes when it is served elsewhere, or when that takes too long.</summary>
    /// <exception cref="StoreUnavailableException">The bus is away; no offer was sent.</exception>
    public async Task OfferAsync(LiveSession session, CancellationToken cancellationToken)
    {
        if (host.Successor(session.Id) is not { } successor || _deaf.TryGetValue(successor.Id, out var since) && time.GetElapsedTime(since) < Rest)
            return;
        await bus.PublishAsync(Topic, Encoding.ASCII.GetBytes($"{successor.Id} {session.Id}"), cancellationToken).ConfigureAwait(false);
        await session.Gone.WaitAsync(OfferTimeout, time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (!session.Gone.IsCompleted)
            _deaf[successor.Id] = time.GetTimestamp();
    }

    public Task StartAsync(CancellationToken cancellationToken)
    {
        _listener.Start(OnMessage);
        return Task.CompletedTask;
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        await _listener.StopAsync().ConfigureAwait(false);
    }

    private ValueTask OnMessage(ReadOnlyMemory<byte> payload)
    {
        var offer = Encoding.ASCII.GetString(payload.Span);
        if (offer.Length > self.Id.Length + 1 && offer[self.Id.Length] == ' ' && offer.StartsWith(self.Id, StringComparison.Ordinal))
            _ = TakeAsync(offer[(self.Id.Length + 1)..]);
        return ValueTask.CompletedTask;
    }

    private async Task TakeAsync(string sessionId)
    {
        try
        {
            await host.FindAsync(sessionId, _stopping.Token).ConfigureAwait(false);
        }
        catch (Exception e)
        {
            if (!_stopping.IsCancellationRequested)
                LogNotTaken(e, sessionId);
        }
    }

    [LoggerMessage(
        Level = LogLevel.Warning,
        Message = "Session {SessionId} was offered to this replica and could not be taken over. Its next request tries again.")]
    private partial void LogNotTaken(Exception exception, string sessionId);
}

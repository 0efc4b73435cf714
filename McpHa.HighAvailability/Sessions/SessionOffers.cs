using System.Collections.Concurrent;
using System.Globalization;
using System.Text;
using McpHa.HighAvailability.Cluster;
using McpHa.HighAvailability.EventBus;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace McpHa.HighAvailability.Sessions;

/// <summary>Finds a session its next owner before its clients ask for it: a replica that drains offers what it has released, another takes it over.</summary>
/// <remarks>
/// The offer goes to the replica that balancers will choose too. It only saves time: one that is not heard leaves the session to its next request,
/// and one that is forged or stale costs a look into the store, which alone decides who owns a session. With the offer goes what the session has
/// heard of late broadcasts, so that its new owner can hand on those that came in between.
/// </remarks>
internal sealed partial class SessionOffers(
    IEventBus bus, SessionHost host, SelfReplica self, TimeProvider time, ILogger<SessionOffers> logger) : IHostedService
{
    private const string Topic = "offers";
    private const string Unknown = "-";

    // So many idle sessions move at once. More would only wait for each other, with their clients.
    private static readonly int AtOnce = Math.Clamp(Environment.ProcessorCount, 2, 8);

    private static readonly TimeSpan Retry = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(250);

    // Nothing is offered for so long to who did not take the last offer: it may be ending, too.
    private static readonly TimeSpan Rest = TimeSpan.FromSeconds(10);

    private readonly ConcurrentDictionary<string, long> _deaf = new(StringComparer.Ordinal);

    private readonly CancellationTokenSource _stopping = new();
    private IAsyncDisposable? _subscription;

    /// <summary>Turns of sessions that could move at any time.</summary>
    public HandOverTurns Turns { get; } = new(time, AtOnce);

    /// <summary>Offers a session that was released. Completes when it is served elsewhere, or when that takes too long.</summary>
    /// <exception cref="StoreUnavailableException">The bus is away; nobody was told.</exception>
    public async Task OfferAsync(LiveSession session, CancellationToken cancellationToken)
    {
        if (host.Successor(session.Id) is not { } successor || _deaf.TryGetValue(successor.Id, out var since) && time.GetElapsedTime(since) < Rest)
            return;
        await bus.PublishAsync(Topic, Encoding.ASCII.GetBytes($"{successor.Id} {session.Id} {session.Epoch} {HandedOn(session)}"), cancellationToken).ConfigureAwait(false);
        await session.Gone.WaitAsync(Patience, time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (!session.Gone.IsCompleted)
            _deaf[successor.Id] = time.GetTimestamp();
    }

    private string HandedOn(LiveSession session) =>
        host.Broadcasts.HandedTo(session) is { } ids ? string.Join(',', ids.Select(id => id.ToString("x", CultureInfo.InvariantCulture))) : Unknown;

    public Task StartAsync(CancellationToken cancellationToken)
    {
        _ = SubscribeAsync();
        return Task.CompletedTask;
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        if (_subscription is { } subscription)
            await subscription.DisposeAsync().ConfigureAwait(false);
    }

    private async Task SubscribeAsync()
    {
        while (!_stopping.IsCancellationRequested)
        {
            try
            {
                _subscription = await bus.SubscribeAsync(Topic, Hear, _stopping.Token).ConfigureAwait(false);
                return;
            }
            catch (Exception e)
            {
                if (!_stopping.IsCancellationRequested)
                    LogNotSubscribed(e.Message);
                await Task.Delay(Retry, time, _stopping.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    private ValueTask Hear(ReadOnlyMemory<byte> payload)
    {
        var offer = Encoding.ASCII.GetString(payload.Span);
        if (offer.Length > self.Id.Length + 1 && offer[self.Id.Length] == ' ' && offer.StartsWith(self.Id, StringComparison.Ordinal))
            _ = TakeAsync(offer[(self.Id.Length + 1)..].Split(' '));
        return ValueTask.CompletedTask;
    }

    // Session, epoch, ids of the broadcasts that it has heard.
    private async Task TakeAsync(string[] offer)
    {
        var sessionId = offer[0];
        try
        {
            if (offer is [_, var epoch, not Unknown and var heard])
                host.Broadcasts.Expect(sessionId, long.Parse(epoch, CultureInfo.InvariantCulture) + 1, Ids(heard));
            await host.FindAsync(sessionId, _stopping.Token).ConfigureAwait(false);
        }
        catch (Exception e)
        {
            if (!_stopping.IsCancellationRequested)
                LogNotTaken(e, sessionId);
        }
        finally
        {
            host.Broadcasts.StopExpecting(sessionId, host.Find(sessionId));
        }
    }

    private static HashSet<UInt128> Ids(string list) =>
        [.. list.Split(',', StringSplitOptions.RemoveEmptyEntries).Select(id => UInt128.Parse(id, NumberStyles.HexNumber, CultureInfo.InvariantCulture))];

    [LoggerMessage(Level = LogLevel.Debug, Message = "Sessions that others hand over are not heard of yet: {Reason}")]
    private partial void LogNotSubscribed(string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Session {SessionId} was offered and could not be taken over; its next request tries again.")]
    private partial void LogNotTaken(Exception exception, string sessionId);
}

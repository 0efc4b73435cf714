using Mcp.HighAvailability.Storage;

namespace Mcp.HighAvailability.Cluster;

/// <summary>
/// Tells other replicas over the event bus that something about this one has changed, and hears the same of them. It only saves the time until the
/// next heartbeat.
/// </summary>
/// <param name="bus">The event bus.</param>
/// <param name="heard">Called when another replica, or this one, has told something.</param>
internal sealed class ReplicaNews(IEventBus bus, Action heard) : IAsyncDisposable
{
    private IAsyncDisposable? _subscription;
    private (bool Joined, bool Draining, bool Stays) _told;

    /// <summary>Tells the others if it is not what they were told last.</summary>
    /// <param name="joined">Whether this process's replica has entered itself in the registry.</param>
    /// <param name="self">What the registry says of it; <see langword="null"/> for a process that is no replica, or not bound yet.</param>
    /// <param name="cancellationToken">Ends the attempt.</param>
    public async ValueTask TellAsync(bool joined, ReplicaInfo? self, CancellationToken cancellationToken)
    {
        try
        {
            if (_subscription is null)
            {
                _subscription = await bus.SubscribeAsync(ReplicaDirectory.Topic, _ =>
                {
                    heard();
                    return ValueTask.CompletedTask;
                }, cancellationToken);

                // A replica that joined between the last reading and this subscription was not announced here.
                heard();
            }

            var now = (joined, self is { Draining: true }, self is { Stays: true });
            if (now == _told)
                return;

            _told = now;
            await PublishAsync(cancellationToken);
        }
        catch (StoreUnavailableException)
        {
            // The next heartbeats say the same, and the bus's backend is the one that the readings report on.
        }
    }

    /// <summary>Tells the others that this replica has left.</summary>
    /// <exception cref="StoreUnavailableException">The bus is away.</exception>
    public ValueTask LeftAsync(CancellationToken cancellationToken) => PublishAsync(cancellationToken);

    /// <summary>Hears nothing more.</summary>
    public ValueTask DisposeAsync() => _subscription?.DisposeAsync() ?? default;

    private ValueTask PublishAsync(CancellationToken cancellationToken) =>
        bus.PublishAsync(ReplicaDirectory.Topic, ReadOnlyMemory<byte>.Empty, cancellationToken);
}

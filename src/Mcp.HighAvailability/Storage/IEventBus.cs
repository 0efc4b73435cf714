namespace Mcp.HighAvailability.Storage;

/// <summary>Publish/subscribe by topic across the replicas of a cluster.</summary>
/// <remarks>
/// Delivery is at most once, to every subscriber of every replica including the publisher's own. What one publisher publishes to a topic, each
/// call awaited before the next, arrives in that order. Nothing is kept: what must survive is in the journal, the bus only wakes. While the
/// backend is away messages are lost; subscriptions come back by themselves.
/// </remarks>
public interface IEventBus
{
    /// <summary>Publishes to a topic. Returns when the backend has accepted the message.</summary>
    /// <exception cref="Storage.StoreUnavailableException">The backend cannot be reached.</exception>
    ValueTask PublishAsync(string topic, ReadOnlyMemory<byte> payload, CancellationToken cancellationToken = default);

    /// <summary>Calls <paramref name="handler"/> for each message of a topic, one at a time; returns when the subscription is in force.</summary>
    /// <remarks>What the handler throws is logged and costs that message only. A subscriber that falls far behind loses its oldest messages.</remarks>
    /// <returns>Dispose it to end the subscription; no call starts afterwards, one that is running goes on.</returns>
    ValueTask<IAsyncDisposable> SubscribeAsync(string topic, Func<ReadOnlyMemory<byte>, ValueTask> handler, CancellationToken cancellationToken = default);
}

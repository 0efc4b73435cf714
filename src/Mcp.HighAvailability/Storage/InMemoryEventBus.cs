using System.Collections.Immutable;
using Microsoft.Extensions.Logging;

namespace Mcp.HighAvailability.Storage;

/// <summary>Publish/subscribe within this process.</summary>
internal sealed class InMemoryEventBus(ILogger<InMemoryEventBus> logger) : IEventBus
{
    private readonly Lock _gate = new();
    private ImmutableDictionary<string, ImmutableArray<TopicSubscription>> _topics =
        ImmutableDictionary<string, ImmutableArray<TopicSubscription>>.Empty;

    public ValueTask PublishAsync(string topic, ReadOnlyMemory<byte> payload, CancellationToken cancellationToken = default)
    {
        if (_topics.TryGetValue(topic, out var subscriptions))
        {
            // The publisher may use its buffer again after this call, subscribers run later.
            ReadOnlyMemory<byte> copy = payload.ToArray();
            foreach (var subscription in subscriptions)
                subscription.Post(copy);
        }

        return ValueTask.CompletedTask;
    }

    public ValueTask<IAsyncDisposable> SubscribeAsync(
        string topic,
        Func<ReadOnlyMemory<byte>, ValueTask> handler,
        CancellationToken cancellationToken = default)
    {
        var subscription = new TopicSubscription(topic, handler, Remove, logger);
        lock (_gate)
            _topics = _topics.SetItem(topic, [.. _topics.GetValueOrDefault(topic, []), subscription]);
        return new(subscription);

        ValueTask Remove(TopicSubscription ended)
        {
            lock (_gate)
            {
                var left = _topics[topic].Remove(ended);
                _topics = left.IsEmpty ? _topics.Remove(topic) : _topics.SetItem(topic, left);
            }

            return ValueTask.CompletedTask;
        }
    }
}

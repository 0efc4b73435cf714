using Mcp.HighAvailability.Storage;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace Mcp.HighAvailability.Redis;

/// <summary>Publish/subscribe on Redis channels. The client subscribes again by itself after a break.</summary>
/// <remarks>Subscribers read from queues of the client: handlers that it calls itself run side by side, so that messages overtake one another.</remarks>
internal sealed partial class RedisEventBus(RedisConnection redis, ILogger<RedisEventBus> logger) : IEventBus
{
    // Subscribing and the undoing of a subscription that failed take turns.
    private readonly SemaphoreSlim _turn = new(1);
    private readonly Dictionary<string, int> _subscribers = new(StringComparer.Ordinal);

    public ValueTask PublishAsync(string topic, ReadOnlyMemory<byte> payload, CancellationToken cancellationToken = default)
    {
        var (channel, message) = (redis.Keys.Topic(topic), RedisFields.Value(payload));
        return redis.SubscriberAsync(subscriber => subscriber.PublishAsync(channel, message), cancellationToken);
    }

    public async ValueTask<IAsyncDisposable> SubscribeAsync(
        string topic,
        Func<ReadOnlyMemory<byte>, ValueTask> handler,
        CancellationToken cancellationToken = default)
    {
        var queue = await OpenAsync(topic, cancellationToken);
        var subscription = new TopicSubscription(topic, handler, _ => CloseAsync(topic, queue), logger);
        queue.OnMessage(message => subscription.Post((byte[]?)message.Message ?? []));
        return subscription;
    }

    private async ValueTask<ChannelMessageQueue> OpenAsync(string topic, CancellationToken cancellationToken)
    {
        var channel = redis.Keys.Topic(topic);
        await _turn.WaitAsync(cancellationToken);
        try
        {
            ChannelMessageQueue? queue = null;
            await redis.SubscriberAsync(async subscriber => queue = await subscriber.SubscribeAsync(channel), cancellationToken);
            _subscribers[topic] = _subscribers.GetValueOrDefault(topic) + 1;
            return queue!;
        }
        catch when (!_subscribers.ContainsKey(topic))
        {
            // The client keeps the unreachable queue and would fill it.
            await EndAsync(topic, subscriber => subscriber.UnsubscribeAsync(channel));
            throw;
        }
        finally
        {
            _turn.Release();
        }
    }

    private async ValueTask CloseAsync(string topic, ChannelMessageQueue queue)
    {
        await _turn.WaitAsync();
        try
        {
            if (_subscribers[topic] == 1)
                _subscribers.Remove(topic);
            else
                _subscribers[topic]--;
            await EndAsync(topic, _ => queue.UnsubscribeAsync());
        }
        finally
        {
            _turn.Release();
        }
    }

    private async ValueTask EndAsync(string topic, Func<ISubscriber, Task> end)
    {
        try
        {
            await redis.SubscriberAsync(end, CancellationToken.None);
        }
        catch (StoreUnavailableException e)
        {
            // The handler is not called any more; the client forgets the channel all the same.
            NotUnsubscribed(topic, e);
        }
    }

    [LoggerMessage(Level = LogLevel.Debug, Message = "Topic '{Topic}' could not be unsubscribed.")]
    private partial void NotUnsubscribed(string topic, Exception exception);
}

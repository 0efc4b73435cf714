using McpHa.HighAvailability.EventBus;
using McpHa.HighAvailability.Sessions;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace McpHa.HighAvailability.Redis;

/// <summary>Publish/subscribe on Redis channels. The client subscribes again by itself after a break.</summary>
internal sealed partial class RedisEventBus(RedisConnection redis, ILogger<RedisEventBus> logger) : IEventBus
{
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
        var channel = redis.Keys.Topic(topic);
        TopicSubscription? subscription = null;
        Action<RedisChannel, RedisValue> receive = (_, message) => subscription!.Post((byte[]?)message ?? []);
        subscription = new TopicSubscription(topic, handler, UnsubscribeAsync, logger);
        try
        {
            await redis.SubscriberAsync(subscriber => subscriber.SubscribeAsync(channel, receive), cancellationToken);
            return subscription;
        }
        catch
        {
            // The client may have kept the handler and would call it later.
            await subscription.DisposeAsync();
            throw;
        }

        async ValueTask UnsubscribeAsync(TopicSubscription ended)
        {
            try
            {
                await redis.SubscriberAsync(subscriber => subscriber.UnsubscribeAsync(channel, receive), CancellationToken.None);
            }
            catch (StoreUnavailableException e)
            {
                // The handler is not called any more; the client forgets the channel all the same.
                NotUnsubscribed(topic, e);
            }
        }
    }

    [LoggerMessage(Level = LogLevel.Debug, Message = "Topic {Topic} could not be unsubscribed")]
    private partial void NotUnsubscribed(string topic, Exception exception);
}

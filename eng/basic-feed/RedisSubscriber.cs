using System.Threading.Channels;

namespace StackExchange.Redis;

/// <summary>Stands in for the queue of a channel's messages, which version 1 lacks. That version calls handlers one after the other by default.</summary>
internal static class OrderedSubscription
{
    public static async Task<ChannelMessageQueue> SubscribeAsync(this ISubscriber subscriber, RedisChannel channel)
    {
        var messages = Channel.CreateUnbounded<ChannelMessage>(new() { SingleReader = true });
        Action<RedisChannel, RedisValue> receive = (_, message) => messages.Writer.TryWrite(new(message));
        await subscriber.SubscribeAsync(channel, receive);
        return new ChannelMessageQueue(messages, () => subscriber.UnsubscribeAsync(channel, receive));
    }
}

internal readonly record struct ChannelMessage(RedisValue Message);

internal sealed class ChannelMessageQueue(Channel<ChannelMessage> messages, Func<Task> unsubscribe)
{
    public void OnMessage(Action<ChannelMessage> handler) => _ = PumpAsync(handler);

    public Task UnsubscribeAsync()
    {
        messages.Writer.TryComplete();
        return unsubscribe();
    }

    private async Task PumpAsync(Action<ChannelMessage> handler)
    {
        await foreach (var message in messages.Reader.ReadAllAsync())
            handler(message);
    }
}

using System.Threading.Channels;
using Microsoft.Extensions.Logging;

namespace Mcp.HighAvailability.Storage;

/// <summary>One subscriber: queues what is published and calls its handler for one message after the other.</summary>
/// <remarks>The queue is bounded and drops its oldest message: the bus only wakes, a slow subscriber must not cost memory without end.</remarks>
internal sealed partial class TopicSubscription : IAsyncDisposable
{
    private const int QueueLength = 10_000;
    private const int Idle = 0;
    private const int Calling = 1;
    private const int Ended = 2;

    private readonly Channel<ReadOnlyMemory<byte>> _queue = Channel.CreateBounded<ReadOnlyMemory<byte>>(
        new BoundedChannelOptions(QueueLength) { FullMode = BoundedChannelFullMode.DropOldest, SingleReader = true });

    private readonly string _topic;
    private readonly Func<ReadOnlyMemory<byte>, ValueTask> _handler;
    private readonly Func<TopicSubscription, ValueTask> _unsubscribe;
    private readonly ILogger _logger;
    private int _phase;

    public TopicSubscription(
        string topic,
        Func<ReadOnlyMemory<byte>, ValueTask> handler,
        Func<TopicSubscription, ValueTask> unsubscribe,
        ILogger logger)
    {
        _topic = topic;
        _handler = handler;
        _unsubscribe = unsubscribe;
        _logger = logger;
        _ = PumpAsync();
    }

    public void Post(ReadOnlyMemory<byte> payload) => _queue.Writer.TryWrite(payload);

    /// <summary>Ends the subscription. Does not wait for a call that is running, so a handler may dispose its own subscription.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _phase, Ended) == Ended)
            return;
        _queue.Writer.TryComplete();
        await _unsubscribe(this);
    }

    private async Task PumpAsync()
    {
        await foreach (var payload in _queue.Reader.ReadAllAsync())
        {
            if (Interlocked.CompareExchange(ref _phase, Calling, Idle) == Ended)
                return;

            try
            {
                await _handler(payload);
            }
            catch (Exception e)
            {
                HandlerFailed(_topic, e);
            }

            Interlocked.CompareExchange(ref _phase, Idle, Calling);
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "A subscriber of topic '{Topic}' failed on a message. Later messages are delivered.")]
    private partial void HandlerFailed(string topic, Exception exception);
}

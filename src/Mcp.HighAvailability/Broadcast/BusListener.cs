using Mcp.HighAvailability.Storage;
using Microsoft.Extensions.Logging;

namespace Mcp.HighAvailability.Broadcast;

/// <summary>A subscription that lasts from start to stop of a service, and is tried again while the bus is away at the start.</summary>
internal sealed partial class BusListener(IEventBus bus, string topic, TimeProvider time, ILogger logger)
{
    private static readonly TimeSpan Retry = TimeSpan.FromSeconds(1);

    private readonly CancellationTokenSource _stopping = new();
    private Task<IAsyncDisposable?> _subscribing = Task.FromResult<IAsyncDisposable?>(null);

    /// <summary>Begins to listen, and returns at once.</summary>
    public void Start(Func<ReadOnlyMemory<byte>, ValueTask> handler) => _subscribing = SubscribeAsync(handler);

    /// <summary>Ends listening; no call of the handler starts afterwards.</summary>
    public async Task StopAsync()
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        if (await _subscribing.ConfigureAwait(false) is { } subscription)
            await subscription.DisposeAsync().ConfigureAwait(false);
    }

    private async Task<IAsyncDisposable?> SubscribeAsync(Func<ReadOnlyMemory<byte>, ValueTask> handler)
    {
        var level = LogLevel.Warning;
        while (!_stopping.IsCancellationRequested)
        {
            try
            {
                return await bus.SubscribeAsync(topic, handler, _stopping.Token).ConfigureAwait(false);
            }
            catch (Exception e)
            {
                if (!_stopping.IsCancellationRequested)
                    LogNotSubscribed(level, topic, e.Message);
                level = LogLevel.Debug;
                await Task.Delay(Retry, time, _stopping.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }

        return null;
    }

    [LoggerMessage(Message = "Not subscribed to topic '{Topic}': {Reason} The subscription is retried every second.")]
    private partial void LogNotSubscribed(LogLevel level, string topic, string reason);
}

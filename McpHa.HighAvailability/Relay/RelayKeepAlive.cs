using System.Collections.Concurrent;

namespace McpHa.HighAvailability.Relay;

/// <summary>Comments on silent event streams, so that nothing between here and the client takes them for dead. One timer for all streams.</summary>
internal sealed class RelayKeepAlive : IDisposable
{
    private readonly ConcurrentDictionary<RelayClient, bool> _streams = new();
    private readonly TimeSpan _interval;
    private readonly Timer _timer;

    public RelayKeepAlive(TimeSpan interval)
    {
        _interval = interval;
        var period = interval / 8 < TimeSpan.FromSeconds(1) ? interval / 8 : TimeSpan.FromSeconds(1);
        _timer = new Timer(static state => ((RelayKeepAlive)state!).Tick(), this, period, period);
    }

    public void Add(RelayClient stream) => _streams.TryAdd(stream, true);

    public void Remove(RelayClient stream) => _streams.TryRemove(stream, out _);

    public void Dispose() => _timer.Dispose();

    private void Tick()
    {
        foreach (var (stream, _) in _streams)
            stream.KeepAlive(_interval);
    }
}

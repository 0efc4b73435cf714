using System.Collections.Concurrent;

namespace Mcp.HighAvailability.Relay;

/// <summary>
/// Comments on silent event streams, so that nothing between here and the client takes them for dead. One timer for all streams, which runs while
/// there are any.
/// </summary>
internal sealed class RelayKeepAlive : IDisposable
{
    private readonly ConcurrentDictionary<RelayClient, bool> _streams = new();
    private readonly TimeSpan _interval;
    private readonly TimeSpan _period;
    private readonly Timer _timer;
    private int _runs;

    public RelayKeepAlive(TimeSpan interval)
    {
        _interval = interval;
        _period = interval / 8 < TimeSpan.FromSeconds(1) ? interval / 8 : TimeSpan.FromSeconds(1);
        _timer = new Timer(static state => ((RelayKeepAlive)state!).Tick(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>The timer runs.</summary>
    public bool Runs => Volatile.Read(ref _runs) != 0;

    public void Add(RelayClient stream)
    {
        _streams.TryAdd(stream, true);
        Run();
    }

    public void Remove(RelayClient stream) => _streams.TryRemove(stream, out _);

    public void Dispose() => _timer.Dispose();

    /// <summary>Looks after all streams; the timer stops when there are none.</summary>
    internal void Tick()
    {
        foreach (var (stream, _) in _streams)
            stream.KeepAlive(_interval);
        if (!_streams.IsEmpty)
        {
            _timer.Change(_period, Timeout.InfiniteTimeSpan);
            return;
        }

        Interlocked.Exchange(ref _runs, 0);
        if (!_streams.IsEmpty)
            Run(); // a stream was added at this very moment
    }

    private void Run()
    {
        if (Volatile.Read(ref _runs) == 0 && Interlocked.Exchange(ref _runs, 1) == 0)
            _timer.Change(_period, Timeout.InfiniteTimeSpan);
    }
}

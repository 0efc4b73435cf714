using System.Collections.Concurrent;
using McpHa.HighAvailability.Journal;
using Microsoft.Extensions.Options;

namespace McpHa.HighAvailability.Http;

/// <summary>Reminds open streams to send a sign of life: one timer for all streams of the process.</summary>
internal sealed class KeepAliveClock : IDisposable
{
    private readonly ConcurrentDictionary<StreamSubscription, byte> _readers = new();
    private readonly ITimer _timer;

    public KeepAliveClock(IOptions<HighAvailabilityOptions> options, TimeProvider time) =>
        _timer = time.CreateTimer(static s => ((KeepAliveClock)s!).Tick(), this, options.Value.KeepAlive, options.Value.KeepAlive);

    public void Add(StreamSubscription reader) => _readers.TryAdd(reader, 0);

    public void Remove(StreamSubscription reader) => _readers.TryRemove(reader, out _);

    public void Dispose() => _timer.Dispose();

    private void Tick()
    {
        foreach (var (reader, _) in _readers)
            reader.KeepAlive();
    }
}

using System.Collections.Concurrent;
using McpHa.HighAvailability.Cluster;
using Microsoft.Extensions.Options;

namespace McpHa.HighAvailability.Http;

/// <summary>Reminds open streams to send a sign of life: one timer for all streams of the process.</summary>
internal sealed class KeepAliveClock : IDisposable
{
    private readonly ConcurrentDictionary<IKeptAlive, byte> _readers = new();
    private readonly Standing _standing;
    private readonly ITimer _timer;

    public KeepAliveClock(Standing standing, IOptions<HighAvailabilityOptions> options, TimeProvider time)
    {
        _standing = standing;
        _timer = time.CreateTimer(static s => ((KeepAliveClock)s!).Tick(), this, options.Value.KeepAlive, options.Value.KeepAlive);
    }

    public void Add(IKeptAlive reader) => _readers.TryAdd(reader, 0);

    public void Remove(IKeptAlive reader) => _readers.TryRemove(reader, out _);

    public void Dispose() => _timer.Dispose();

    private void Tick()
    {
        // Not for somebody who may own these sessions no longer.
        if (!_standing.Unchallenged)
            return;
        foreach (var (reader, _) in _readers)
            reader.KeepAlive();
    }
}

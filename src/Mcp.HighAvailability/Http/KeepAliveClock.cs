using System.Collections.Concurrent;
using Mcp.HighAvailability.Sessions;
using Microsoft.Extensions.Options;

namespace Mcp.HighAvailability.Http;

/// <summary>Sends keep-alives on all open responses of the process: one timer for all of them.</summary>
internal sealed class KeepAliveClock : IDisposable
{
    private readonly ConcurrentDictionary<IKeptAlive, byte> _readers = new();
    private readonly ITimer _timer;

    public KeepAliveClock(IOptions<HighAvailabilityOptions> options, TimeProvider time) =>
        _timer = time.CreateTimer(static s => ((KeepAliveClock)s!).Tick(), this, options.Value.KeepAlive, options.Value.KeepAlive);

    public void Add(IKeptAlive reader) => _readers.TryAdd(reader, 0);

    public void Remove(IKeptAlive reader) => _readers.TryRemove(reader, out _);

    public void Dispose() => _timer.Dispose();

    internal void Tick()
    {
        foreach (var (reader, _) in _readers)
            reader.KeepAlive();
    }
}

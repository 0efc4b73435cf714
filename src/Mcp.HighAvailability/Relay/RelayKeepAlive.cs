using Mcp.HighAvailability.Timing;
using Microsoft.Extensions.Logging;

namespace Mcp.HighAvailability.Relay;

/// <summary>Comments on silent event streams, so that nothing between here and the client takes them for dead.</summary>
/// <remarks>The work of a tick depends on the streams that are due, not on those that are open.</remarks>
internal sealed class RelayKeepAlive : IDisposable
{
    private readonly TimeSpan _interval;
    private readonly DueTimer<RelayClient> _timer;

    public RelayKeepAlive(TimeSpan interval, TimeProvider time, ILogger logger)
    {
        _interval = interval;
        var period = interval / 8 < TimeSpan.FromSeconds(1) ? interval / 8 : TimeSpan.FromSeconds(1);
        _timer = new(time, period, stream => stream.KeepAlive(interval), logger);
    }

    public Due<RelayClient> Add(RelayClient stream) => _timer.Add(stream, _interval);

    public void Remove(Due<RelayClient> stream) => _timer.Remove(stream);

    public void Dispose() => _timer.Dispose();
}

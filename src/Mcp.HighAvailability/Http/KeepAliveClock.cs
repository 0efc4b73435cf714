using Mcp.HighAvailability.Sessions;
using Mcp.HighAvailability.Timing;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace Mcp.HighAvailability.Http;

/// <summary>Sends keep-alives on all open responses of the process: one timer for all of them, each in its own time.</summary>
internal sealed class KeepAliveClock : IDisposable
{
    private readonly TimeSpan _interval;
    private readonly DueTimer<IKeptAlive> _timer;

    public KeepAliveClock(IOptions<HighAvailabilityOptions> options, TimeProvider time, ILogger<KeepAliveClock>? logger = null)
    {
        var interval = _interval = options.Value.KeepAlive;
        var period = interval / 8 < TimeSpan.FromSeconds(1) ? interval / 8 : TimeSpan.FromSeconds(1);
        _timer = new(
            time,
            period,
            reader =>
            {
                reader.KeepAlive();
                return interval;
            },
            logger ?? NullLogger<KeepAliveClock>.Instance);
    }

    /// <summary>Keeps a response alive from now on. Does nothing if that is so already.</summary>
    public void Add(IKeptAlive reader) => reader.Due ??= _timer.Add(reader, _interval);

    public void Remove(IKeptAlive reader)
    {
        if (reader.Due is not { } due)
            return;
        reader.Due = null;
        _timer.Remove(due);
    }

    public void Dispose() => _timer.Dispose();
}

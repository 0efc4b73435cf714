using Mcp.HighAvailability.Storage;

namespace Mcp.HighAvailability.Balancer.Status;

/// <summary>Reads the figures of the store when a cluster page or a collection of metrics asks, at most once in two seconds. Thread-safe.</summary>
internal sealed partial class StoreReader(TimeProvider time, ILogger<StoreReader> logger, IStoreFigures? figures = null)
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(1);

    private readonly Lock _gate = new();
    private Task _reading = Task.CompletedTask;
    private long? _asked;
    private StoreFigures? _last;

    /// <summary>The figures that were read last; <see langword="null"/> before the first reading. Starts another reading if they are old.</summary>
    public StoreFigures? Last
    {
        get
        {
            _ = ReadAsync();
            return Volatile.Read(ref _last);
        }
    }

    /// <summary>Completes when the figures are at most two seconds old, or cannot be read.</summary>
    public Task ReadAsync()
    {
        if (figures is null)
            return Task.CompletedTask;
        lock (_gate)
        {
            if (!_reading.IsCompleted || _asked is { } asked && time.GetElapsedTime(asked) < Interval)
                return _reading;
            _asked = time.GetTimestamp();
            return _reading = ReadOnceAsync(figures);
        }
    }

    private async Task ReadOnceAsync(IStoreFigures figures)
    {
        await Task.Yield();
        try
        {
            Volatile.Write(ref _last, await figures.ReadAsync().AsTask().WaitAsync(Timeout, time));
        }
        catch (Exception e)
        {
            LogFailed(e.Message);
        }
    }

    [LoggerMessage(Level = LogLevel.Debug, Message = "The figures of the store could not be read for the cluster page: {Reason}")]
    private partial void LogFailed(string reason);
}

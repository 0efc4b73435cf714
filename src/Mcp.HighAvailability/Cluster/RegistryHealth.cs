using Mcp.HighAvailability.Storage;
using Microsoft.Extensions.Logging;

namespace Mcp.HighAvailability.Cluster;

/// <summary>Whether the registry could be read last time. One writer; read on any thread.</summary>
internal sealed partial class RegistryHealth(TimeProvider time, ILogger logger)
{
    private readonly ILogger _logger = logger;
    private volatile bool _isAway;

    public bool IsAway => _isAway;

    /// <summary>Since when it cannot be read (UTC, by this process's clock); <see langword="null"/> while it can.</summary>
    public DateTimeOffset? AwaySince { get; private set; }

    /// <summary>How long the last reading took that succeeded.</summary>
    public TimeSpan ReadTook { get; private set; }

    /// <summary>A reading failed.</summary>
    public void Failed(Exception exception)
    {
        if (!_isAway)
        {
            AwaySince = time.GetUtcNow();
            LogAway(exception is StoreUnavailableException ? null : exception, exception.Message);
        }

        _isAway = true;
    }

    /// <summary>A reading succeeded.</summary>
    /// <param name="took">How long it took.</param>
    /// <param name="alive">Replicas that are alive.</param>
    public void Succeeded(TimeSpan took, int alive)
    {
        ReadTook = took;
        if (!_isAway)
            return;
        LogBack(alive);
        _isAway = false;
        AwaySince = null;
    }

    [LoggerMessage(
        Level = LogLevel.Warning,
        Message = "Replica registry unreachable: {Reason} Owners keep their sessions, and no replica counts as lost for missing heartbeats. Check the " +
            "store.")]
    private partial void LogAway(Exception? exception, string reason);

    [LoggerMessage(Level = LogLevel.Information, Message = "Replica registry reachable again. Replicas alive: {Alive}.")]
    private partial void LogBack(int alive);
}

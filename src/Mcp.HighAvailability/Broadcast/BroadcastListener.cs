using Mcp.HighAvailability.Protocol;
using Microsoft.Extensions.Logging;

namespace Mcp.HighAvailability.Broadcast;

/// <summary>Calls a handler for each broadcast of some kinds, one after the other, in the order of the log, in this replica.</summary>
/// <remarks>It begins behind what the log had when the replica first read it, or with its own creation if that is later.</remarks>
internal sealed partial class BroadcastListener : IBroadcastReader, IDisposable
{
    private readonly BroadcastFollower _follower;
    private readonly Func<string, bool> _wants;
    private readonly Func<FollowedBroadcast, ValueTask> _handler;
    private readonly Func<ValueTask> _onGap;
    private readonly ILogger _logger;
    private long _cursor;
    private int _due;
    private volatile bool _disposed;

    /// <param name="follower">Follows the log.</param>
    /// <param name="wants">Whether the handler wants a kind.</param>
    /// <param name="handler">What it throws is logged and costs that broadcast only.</param>
    /// <param name="onGap">Called before the handler when broadcasts may be missing.</param>
    /// <param name="logger">Logs what the handler throws.</param>
    public BroadcastListener(
        BroadcastFollower follower, Func<string, bool> wants, Func<FollowedBroadcast, ValueTask> handler, Func<ValueTask> onGap, ILogger logger)
    {
        (_follower, _wants, _handler, _onGap, _logger) = (follower, wants, handler, onGap, logger);
        _cursor = follower.Last.Ordinal;
        follower.Add(this);
        ((IBroadcastReader)this).Wake();
    }

    /// <summary>No call begins afterwards.</summary>
    public void Dispose()
    {
        _disposed = true;
        _follower.Remove(this);
    }

    void IBroadcastReader.Wake()
    {
        if (Interlocked.Increment(ref _due) == 1)
            _ = RunAsync();
    }

    private async Task RunAsync()
    {
        int due;
        do
        {
            due = Volatile.Read(ref _due);
            _cursor = Math.Max(_cursor, _follower.Began);
            while (!_disposed && _follower.Next(_cursor) is { } broadcast)
                await HandleAsync(broadcast).ConfigureAwait(false);
        }
        while (Interlocked.Add(ref _due, -due) != 0);
    }

    private async ValueTask HandleAsync(FollowedBroadcast broadcast)
    {
        var gap = broadcast.AfterGap || broadcast.Ordinal > _cursor + 1;
        _cursor = broadcast.Ordinal;
        try
        {
            if (gap)
                await _onGap().ConfigureAwait(false);
            if (_wants(broadcast.Entry.Kind))
                await _handler(broadcast).ConfigureAwait(false);
        }
        catch (Exception e)
        {
            LogFailed(e, broadcast.Entry.Kind, broadcast.Entry.Position);
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "The handler of broadcast kind {Kind} failed at {Position}. Later broadcasts are handled.")]
    private partial void LogFailed(Exception exception, string kind, BroadcastPosition position);
}

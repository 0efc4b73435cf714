using Mcp.HighAvailability.Storage;

namespace Mcp.HighAvailability.Broadcast;

/// <summary>When a response that skips broadcasts sends an event id alone, so that its client does not fall behind the retention.</summary>
internal sealed class BroadcastMarks(BroadcastOptions options, long at)
{
    // Of the retention.
    private const int Part = 4;

    private long _last = at;
    private DateTimeOffset? _since;

    /// <summary>Notes a broadcast. <see langword="true"/>: the client was not sent an id for too long.</summary>
    public bool IsDue(FollowedBroadcast broadcast, bool isSent)
    {
        var time = broadcast.Entry.Time;
        _since ??= time;
        var due = !isSent && (broadcast.Ordinal - _last >= Math.Max(1, options.MaxEntries / Part) || time - _since >= options.MaxAge / Part);
        if (isSent || due)
            (_last, _since) = (broadcast.Ordinal, time);
        return due;
    }
}

using Mcp.HighAvailability.Broadcast;
using Mcp.HighAvailability.Protocol;
using Mcp.HighAvailability.Storage;
using ModelContextProtocol.Protocol;

namespace Mcp.HighAvailability.Sessions;

/// <summary>Steps of broadcasts: read from the log by the session's streams, never written for it.</summary>
internal static class BroadcastSteps
{
    /// <summary>The next broadcast for a response of a GET stream.</summary>
    public static NextBroadcast Next(SessionCore core, StreamSubscription reader, BroadcastFollower follower)
    {
        if (!core.IsActive || reader.Stream!.Newest != reader)
            return default;
        var at = reader.At;
        var step = core.Broadcasts.Next(follower, reader.Stream.Id, ref at, isTarget: core.GetStreams.Read == reader.Stream);
        reader.At = at;
        if (step.Broadcast is { } broadcast)
            return new(step, Wants(core, broadcast), null);
        return new(step, false, step.MustRecord ? Record(core) : null);
    }

    /// <summary>Has the store learn how far the session has come. Returns the ticket to wait for.</summary>
    public static long Record(SessionCore core)
    {
        AddTo(core, core.Commits.Open());
        return core.Commits.Flush();
    }

    /// <summary>As <see cref="Record"/>, if the store does not know it.</summary>
    public static bool RecordIfAhead(SessionCore core)
    {
        if (!core.Phase.Writes() || !core.Broadcasts.IsAhead)
            return false;
        Record(core);
        return true;
    }

    /// <summary>Adds how far the session has come to a commit.</summary>
    public static void AddTo(SessionCore core, CommitBatch batch)
    {
        var record = core.Broadcasts.Record();
        core.Handshake.Set(HandshakeKeys.Broadcast, record);
        batch.SetHandshake(HandshakeKeys.Broadcast, record);
    }

    /// <summary>A response of a GET stream has ended. Returns the one that goes on; without one the store learns how far the session has come.</summary>
    public static StreamSubscription? Leave(SessionCore core)
    {
        if (!core.IsActive)
            return null;
        if (core.GetStreams.Read?.Newest is { } next)
            return next;
        RecordIfAhead(core);
        return null;
    }

    /// <summary>Whether the client's log level lets a log message through.</summary>
    public static bool Lets(SessionCore core, LoggingLevel level) =>
        RecordedHandshake.LogLevel(core.Handshake.Find(HandshakeKeys.LogLevel)) is not { } least || level >= least;

    private static bool Wants(SessionCore core, FollowedBroadcast broadcast) =>
        broadcast.Entry.Kind == BroadcastKinds.Notification && broadcast.Notification switch
    {
        null => false,
        { Method: NotificationMethods.ResourceUpdatedNotification, Params: var update } =>
            JsonRpc.TextParam(update, "uri") is { } uri && core.Handshake.Contains(HandshakeKeys.Subscription + uri),
        { Method: NotificationMethods.LoggingMessageNotification, Params: var log } =>
            !Enum.TryParse(JsonRpc.TextParam(log, "level"), ignoreCase: true, out LoggingLevel level) || Lets(core, level),
        _ => true,
    };
}

/// <summary>Next entry of the log for a response.</summary>
/// <param name="Step">The broadcast, if there is one.</param>
/// <param name="IsWanted">Whether the client wants it.</param>
/// <param name="Ticket">The session's state must be written first: what to wait for.</param>
internal readonly record struct NextBroadcast(BroadcastStep Step, bool IsWanted, long? Ticket);

using Mcp.HighAvailability.Broadcast;
using ModelContextProtocol.Protocol;

namespace Mcp.HighAvailability.Sessions;

/// <summary>The responses of GET streams, as readers of the broadcast log.</summary>
internal sealed class BroadcastReaders(LiveSession session)
{
    private BroadcastFollower Follower => session.Runtime.Broadcasts;

    /// <summary>Wakes a response whenever there may be broadcasts for it, until <see cref="Leave"/>.</summary>
    public BroadcastMarks Follow(StreamSubscription reader)
    {
        Follower.Add(reader);
        ((IBroadcastReader)reader).Wake();
        return new(Follower.Options, reader.At.Ordinal);
    }

    /// <summary>A response has ended.</summary>
    public void Leave(StreamSubscription reader)
    {
        Follower.Remove(reader);
        LiveSession.Detach(reader);
        ((IBroadcastReader?)session.Runner.Run(BroadcastSteps.Leave))?.Wake();
    }

    /// <summary>The next broadcast or gap for a response; <see langword="null"/>: none now. The response is woken when there may be one.</summary>
    public async ValueTask<NextBroadcast?> NextAsync(StreamSubscription reader)
    {
        while (Follower.Last.Ordinal > reader.At.Ordinal || reader.At.Gap)
        {
            if (reader.Awaits is { } part && !await ClientRequests.IsWrittenAsync(session.Runner.WrittenAsync(part)).ConfigureAwait(false))
                return null;
            reader.Awaits = null;
            var next = session.Runner.Run((reader, Follower), static (core, asked) => BroadcastSteps.Next(core, asked.reader, asked.Follower));
            if (next.Step is { Broadcast: not null } or { Gap: true })
                return next;
            if (next.Ticket is not { } ticket || !await ClientRequests.IsWrittenAsync(session.Runner.WrittenAsync(ticket)).ConfigureAwait(false))
                return null;
        }

        return null;
    }

    /// <summary>Whether the client's log level lets a log message through.</summary>
    public bool Lets(LoggingLevel level) => session.Runner.Read(level, BroadcastSteps.Lets);
}

using Mcp.HighAvailability.Broadcast;
using Mcp.HighAvailability.Protocol;
using Mcp.HighAvailability.Storage;

namespace Mcp.HighAvailability.Sessions;

/// <summary>A stream that a client reads now.</summary>
/// <param name="Reader">Its reader.</param>
/// <param name="Moves">Messages wait for the stream: the caller has to move them to it.</param>
internal readonly record struct OpenedStream(StreamSubscription Reader, bool Moves);

/// <summary>Result of a client's resume of a stream.</summary>
internal enum ResumeKind
{
    /// <summary>The journal tells. A reader is attached if the stream is still open.</summary>
    Look,

    /// <summary>This replica does not accept requests of the session.</summary>
    NotServed,

    /// <summary>This owner has not given that event id.</summary>
    NotGiven,

    /// <summary>The client has cancelled the call.</summary>
    Withdrawn,
}

/// <summary>Outcome of <see cref="StreamSteps.Resume"/>.</summary>
/// <param name="Kind">What becomes of it.</param>
/// <param name="Reader">Reads the stream, if it is open.</param>
/// <param name="Moves">As <see cref="OpenedStream.Moves"/>.</param>
/// <param name="Last">Position of the last entry of the stream.</param>
/// <param name="Awaiting">Calls that have waited for their caller, to be run now.</param>
internal readonly record struct Resumed(ResumeKind Kind, StreamSubscription? Reader = null, bool Moves = false, long Last = 0,
    IReadOnlyList<OpenCall>? Awaiting = null);

/// <summary>Steps of streams: opened, resumed, and given what waits for one.</summary>
internal static class StreamSteps
{
    /// <summary>Opens a GET stream. <see langword="null"/>: this replica does not accept requests of the session.</summary>
    public static OpenedStream? OpenGet(SessionCore core)
    {
        if (!core.IsActive)
            return null;
        core.Commits.Confirm();
        var stream = core.GetStreams.Open();
        var reader = stream.Attach();
        reader.At = core.Broadcasts.Cursor;
        if (core.Broadcasts.Open(stream.Id))
            reader.Awaits = BroadcastSteps.Record(core);
        return new(reader, core.GetStreams.StartMoving());
    }

    /// <summary>Attaches to the only stream of a new session. <see langword="null"/>: this replica does not accept requests of the session.</summary>
    public static StreamSubscription? OpenOnly(SessionCore core)
    {
        if (!core.IsActive)
            return null;
        var reader = core.GetStreams.Only!.Attach();
        reader.At = core.Broadcasts.Cursor;
        core.Broadcasts.Open(core.GetStreams.Only.Id);
        return reader;
    }

    /// <summary>Attaches to a stream behind an event.</summary>
    /// <param name="core">The session.</param>
    /// <param name="after">The event.</param>
    /// <param name="at">Of a GET stream: how far its client has come in the broadcast log; <see langword="null"/>: it does not say.</param>
    public static Resumed Resume(SessionCore core, SseEventId after, BroadcastCursor? at)
    {
        if (!core.IsActive)
            return new(ResumeKind.NotServed);
        if (after.Epoch > core.Record.Epoch || after.Position > core.Commits.LastPosition || !after.IsCall && !core.GetStreams.WasOpened(after))
            return new(ResumeKind.NotGiven);
        if (!after.IsCall)
        {
            var stream = core.GetStreams.Find(after.Stream);
            var reader = stream.Attach();
            reader.At = at ?? core.Broadcasts.Cursor;

            // Written with the look into the journal that follows.
            if (core.Broadcasts.Resume(stream.Id, reader.At))
                BroadcastSteps.Record(core);
            return new(ResumeKind.Look, reader, core.GetStreams.StartMoving(), stream.LastPosition, core.HasOneStream ? StopAwaiting(core.Calls.Open) : null);
        }

        if (core.Calls.WasWithdrawn(after.Stream))
            return new(ResumeKind.Withdrawn);
        return core.Calls.Find(after.Stream) is { } call
            ? new(ResumeKind.Look, call.Stream.Attach(), Last: call.Stream.LastPosition, Awaiting: StopAwaiting([call]))
            : new(ResumeKind.Look);
    }

    /// <summary>Gives messages that waited to a stream, each once: one commit writes them there and removes them from where they waited.</summary>
    /// <returns>True if no message waits any more.</returns>
    public static bool Move(SessionCore core, IReadOnlyList<JournalEntry> waiting, EventStream target)
    {
        foreach (var entry in waiting)
        {
            if (!core.GetStreams.TakeWaiting(entry.Position))
                continue;
            core.Append(target, entry.Payload, MessageKinds.Of(JsonRpc.Parse(entry.Payload.Span)));
            core.Remove(entry.Position);
        }

        if (core.GetStreams.WaitingCount > 0 && waiting.Count > 0)
            return false;
        core.GetStreams.Moving = false;
        core.Commits.Flush();
        return true;
    }

    /// <summary>Gives the waiting messages to another stream after a failed move. Returns that stream, if there is one.</summary>
    public static EventStream? MoveElsewhere(SessionCore core)
    {
        core.GetStreams.Moving = false;
        var target = core.GetStreams.Target;
        return target != core.GetStreams.Waiting && core.GetStreams.StartMoving() ? target : null;
    }

    private static List<OpenCall> StopAwaiting(IEnumerable<OpenCall> calls) => [.. calls.Where(static call => CallSteps.StopAwaiting(call) is not null)];
}

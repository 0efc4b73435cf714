using Mcp.HighAvailability.Storage;

namespace Mcp.HighAvailability.Sessions;

/// <summary>Steps of what the server sends beside answers. Each returns the ticket to wait for; <see langword="null"/>: it was dropped.</summary>
internal static class MessageSteps
{
    /// <summary>Sends a message on the stream of its call.</summary>
    public static long? Send(SessionCore core, OpenCall call, ReadOnlyMemory<byte> payload, MessageKind kind)
    {
        if (call.Ended || !core.Phase.Writes())
            return null;
        core.Append(call.Stream, payload, kind);
        return core.Commits.Flush();
    }

    /// <summary>
    /// Sends what belongs to no call: on the newest GET stream, or later, when there is one. <see langword="null"/>: the session is not active here.
    /// </summary>
    public static long? SendUnrelated(SessionCore core, ReadOnlyMemory<byte> payload, MessageKind kind)
    {
        if (!core.IsActive)
            return null;
        var target = core.GetStreams.Target;
        if (core.Append(target, payload, kind) is { } entry && target == core.GetStreams.Waiting &&
            core.GetStreams.AddWaiting(entry.Position) is > 0 and var oldest)
            core.Remove(oldest);
        var ticket = core.Commits.Flush();

        // A handler of 'initialize' must not wait for the record that its answer completes.
        return core.Commits.AwaitsRecord ? core.Commits.Written : ticket;
    }

    /// <summary>Ends the response that reads a call now, behind everything that was sent on it.</summary>
    public static bool EndResponse(SessionCore core, OpenCall call, TimeSpan retry)
    {
        if (call.Ended || !core.IsActive)
            return false;
        core.Commits.Open().Then(new(EffectKind.Poll, call.Stream, Retry: retry));
        core.Commits.Flush();
        return true;
    }
}

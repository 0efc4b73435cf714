using Mcp.HighAvailability.Protocol;
using Mcp.HighAvailability.Relay;
using Mcp.HighAvailability.Storage;

namespace Mcp.HighAvailability.Sessions;

/// <summary>The step by which a new owner takes up what an earlier one has left.</summary>
internal static class RestoreSteps
{
    /// <summary>Takes up calls and journal.</summary>
    /// <param name="core">A session that has done nothing yet.</param>
    /// <param name="open">Calls in flight, by stream.</param>
    /// <param name="withdrawn">Calls that the client has cancelled.</param>
    /// <param name="snapshot">What the take-over has read.</param>
    public static int TakeUp(SessionCore core, IReadOnlyDictionary<string, OpenCall> open, IEnumerable<WithdrawnCall> withdrawn, SessionSnapshot snapshot)
    {
        foreach (var call in withdrawn.OrderBy(static w => new SseEventId(w.Stream, 0).Epoch).ThenBy(static w => new SseEventId(w.Stream, 0).Number))
            core.Calls.Withdraw(call);
        foreach (var call in open.Values)
            core.Calls.Add(call);
        foreach (var entry in snapshot.Journal)
        {
            var asked = false;
            if (open.TryGetValue(entry.Stream, out var call))
            {
                call.Stream.LastPosition = entry.Position;
                asked = call.History!.AddSent(entry.Payload);
            }
            else if (entry.Stream == SseEventId.WaitingStream)
            {
                core.GetStreams.Waiting.LastPosition = entry.Position;
                core.GetStreams.AddWaiting(entry.Position);
            }
            else if (entry.Stream[0] == SseEventId.GetStream)
            {
                core.GetStreams.Find(entry.Stream).LastPosition = entry.Position;
            }
            else if (ExchangeId.TryParse(entry.Answers, out var exchange))
            {
                core.Calls.Remember(exchange, entry.Stream);
            }

            if (asked || entry.Answers.Length > 0)
                core.Unread.Restore(entry);
            core.Tail.Add(entry, asked);
        }

        if (core.GetStreams.Only is { } only)
            only.LastPosition = snapshot.Record.LastPosition;
        return open.Count;
    }
}

using Mcp.HighAvailability.Storage;

namespace Mcp.HighAvailability.Sessions;

/// <summary>The answer of a call.</summary>
/// <param name="Call">The call.</param>
/// <param name="Payload">The answer, JSON.</param>
/// <param name="Failed">The call has failed: what it has done to the session does not count.</param>
internal readonly record struct CallAnswer(OpenCall Call, ReadOnlyMemory<byte> Payload, bool Failed);

/// <summary>Outcome of <see cref="AnswerSteps.Answer"/>.</summary>
/// <param name="Ended">The call has ended with this answer.</param>
/// <param name="Unwritten">The answer, if it is to be sent without a commit.</param>
internal readonly record struct AnswerOutcome(bool Ended, JournalEntry? Unwritten = null);

/// <summary>Steps of answers: sent with a commit, or without one where the store need not know.</summary>
internal static class AnswerSteps
{
    // A larger answer may break on its way, and a client can resume only what is in the journal.
    private const int MaxUnwrittenBytes = 32 * 1024;

    /// <summary>
    /// Ends a call with its answer, which goes into the journal together with all that the call has done to the session, unless the call left no
    /// trace.
    /// </summary>
    public static AnswerOutcome Answer(SessionCore core, in CallAnswer answer)
    {
        var call = answer.Call;
        var unwritten = LeftNoTrace(core, call) && answer.Payload.Length <= MaxUnwrittenBytes
            ? core.Commits.Unwritten(call.Stream, answer.Payload, call.Exchange.ToString())
            : null;
        if (!CallSteps.TryEnd(core, call))
            return default;
        if (unwritten is null)
            Journal(core, answer);
        else if (core.Commits.IsOpen(call.Beginning!))
            core.Commits.DropEmptyBatch();
        else
            core.Commits.Flush();
        HandOverSteps.NoteEnd(core);
        return new(Ended: true, unwritten);
    }

    // Such a call needs no write: its client knows nothing of it, so a later owner may run it again. Its beginning may be on its way to the store.
    private static bool LeftNoTrace(SessionCore core, OpenCall call) =>
        call is { MayRunTwice: true, TouchedState: null, StoredAnswers: null, History: null, Handles.Count: 0, Questions.Names.Count: 0,
            Stream.LastPosition: 0 } &&
        !core.HasOneStream && RecordedHandshake.Change(call.Request) is null &&
        call.Beginning?.HoldsPrime(call.Stream) == true;

    private static void Journal(SessionCore core, in CallAnswer answer)
    {
        var call = answer.Call;
        core.Append(call.Stream, answer.Payload, MessageKind.Answer, call.Exchange.ToString());
        var batch = core.Commits.Open();
        batch.Then(new(EffectKind.Complete, call.Stream));
        if (!answer.Failed)
        {
            if (call.TouchedState is { } state)
            {
                var writes = state.Writes;
                foreach (var (key, value) in writes)
                    batch.SetState(key, value);
                core.State.Apply(writes);
            }

            if (RecordedHandshake.Change(call.Request) is { } change && (change.Key != HandshakeKeys.Initialize || core.HasOneStream))
            {
                batch.SetHandshake(change.Key, change.Value);
                core.Handshake.Set(change.Key, change.Value);
            }
        }

        core.Calls.Remember(call.Exchange, call.Stream.Id);
        core.Commits.Flush();
    }
}

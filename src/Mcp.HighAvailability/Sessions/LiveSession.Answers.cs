using System.Text.Json.Nodes;
using Mcp.HighAvailability.Journal;
using ModelContextProtocol.Protocol;

namespace Mcp.HighAvailability.Sessions;

/// <summary>Answers of calls: sent with a commit, or without one where the store need not know.</summary>
internal sealed partial class LiveSession
{
    // A larger answer may break on its way, and a client can resume only what is in the journal.
    private const int MaxUnwrittenAnswerBytes = 32 * 1024;

    /// <summary>
    /// Sends a call's answer. Journals it first, together with everything that the call has done to the session, unless the call left no trace.
    /// </summary>
    public Task AnswerAsync(OpenCall call, JsonRpcMessageWithId message)
    {
        JsonRpcMessage answer = message is JsonRpcResponse response
            ? new JsonRpcResponse { Id = call.ClientId, Result = response.Result }
            : new JsonRpcError { Id = call.ClientId, Error = ((JsonRpcError)message).Error };
        var payload = JsonRpc.Serialize(answer);
        var failed = message is JsonRpcError || message is JsonRpcResponse { Result: JsonObject result } && result["isError"] is JsonValue flag && flag.TryGetValue(out bool isError) && isError;

        JournalEntry? unwritten = null;
        lock (Gate)
        {
            if (LeftNoTrace(call) && payload.Length <= MaxUnwrittenAnswerBytes)
                unwritten = Queue.Unwritten(call.Stream, payload, call.Exchange.ToString());
            if (!TryEnd(call))
                return Task.CompletedTask;
            if (unwritten is null)
                Journal(call, payload, failed);
            else
                Queue.DropEmptyBatch();
        }

        if (unwritten is null)
        {
            Queue.Flush();
            return Task.CompletedTask;
        }

        call.Stream.Publish(unwritten);
        call.Stream.Complete();
        return Task.CompletedTask;
    }

    // Under the gate. Such a call needs no write: neither client nor store know anything of it, so a later owner may run it again.
    private bool LeftNoTrace(OpenCall call) =>
        call is { MayRunTwice: true, TouchedState: null, StoredAnswers: null, History: null, Handles.Count: 0, Questions.Names.Count: 0, Stream.LastPosition: 0 } &&
        !IsLegacy && RecordedHandshake.Change(call.Request) is null && call.Beginning is { } beginning && Queue.IsOpen(beginning) && beginning.HoldsPrime(call.Stream);

    // Under the gate. The answer and all that the call has done to the session go into one commit.
    private void Journal(OpenCall call, ReadOnlyMemory<byte> payload, bool failed)
    {
        Append(call.Stream, payload, MessageKind.Answer, call.Exchange.ToString());
        var batch = Queue.Open();
        batch.Then(new(EffectKind.Complete, call.Stream));
        if (!failed)
        {
            if (call.TouchedState is { } state)
            {
                foreach (var (key, value) in state.Writes)
                    batch.SetState(key, value);
                State.Commit(state);
            }

            if (RecordedHandshake.Change(call.Request) is { } change && (change.Key != HandshakeKeys.Initialize || IsLegacy))
            {
                batch.SetHandshake(change.Key, change.Value);
                _handshake.Set(change.Key, change.Value);
            }
        }
        else if (call.TouchedState is { } abandoned)
        {
            SessionStateBag.Abandon(abandoned);
        }

        Calls.Remember(call.Exchange, call.Stream.Id);
    }
}

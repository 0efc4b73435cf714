using McpHa.HighAvailability.Journal;

namespace McpHa.HighAvailability.Sessions;

/// <summary>What is written of the session, and what of it is kept here to be written again.</summary>
internal sealed partial class LiveSession
{
    (SessionSnapshot Snapshot, IReadOnlyDictionary<string, ReadOnlyMemory<byte>> State) ICommitOwner.Copy(long lastCommit)
    {
        var record = _record with
        {
            ProtocolVersion = ProtocolVersion,
            Handshake = new Dictionary<string, ReadOnlyMemory<byte>>(_handshake),
            LastPosition = Queue.LastPosition,
            LastCommit = lastCommit,
            Hops = _hops,
        };
        return (new(record, InFlight(), Tail.Entries), State.Copy());
    }

    // Under the gate. The in-flight table as it has to be.
    private Dictionary<string, ReadOnlyMemory<byte>> InFlight()
    {
        Dictionary<string, ReadOnlyMemory<byte>> table = [];
        foreach (var call in Calls.Open)
        {
            table[call.Stream.Id] = new InFlightCall(call.Exchange, call.EarlierLosses, call.Body).ToBytes();
            foreach (var (question, answer) in call.StoredAnswers ?? [])
                table[question] = answer;
        }

        foreach (var (stream, exchange, cancellation) in Calls.Withdrawn)
            table[stream] = InFlightCall.Withdrawn(exchange, cancellation);
        return table;
    }

    // Under the gate. Entries that a later owner needs: to go on with open calls, for GET streams to come, and to notice a gap.
    private bool IsNeeded(JournalEntry entry) =>
        Calls.Find(entry.Stream) is not null || entry.Stream == GetStreams.WaitingStream || GetStreams.IsLast(entry);

    // Under the gate. Puts a message into the open batch, at the next position of its stream.
    private JournalEntry Append(EventStream stream, ReadOnlyMemory<byte> payload, string answers = "", bool question = false)
    {
        var entry = Queue.Append(stream, payload, answers);
        Tail.Add(entry, question);
        return entry;
    }

    // Under the gate. Takes a message out of the journal again.
    private void Remove(long position)
    {
        Queue.Open().Remove(position);
        Tail.Remove(position);
    }
}

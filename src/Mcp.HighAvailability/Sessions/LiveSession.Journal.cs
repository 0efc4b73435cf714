using Mcp.HighAvailability.Journal;

namespace Mcp.HighAvailability.Sessions;

/// <summary>What is written of the session, and what of it is kept here to be written again.</summary>
internal sealed partial class LiveSession
{
    /// <summary>Answers and server requests that no client has read yet. Guarded by the queue's gate.</summary>
    public UnreadEntries Unread { get; }

    /// <summary>Whether so much waits for the store that no new call may begin.</summary>
    public bool IsBehind
    {
        get
        {
            lock (Gate)
                return Queue.IsFull;
        }
    }

    /// <summary>Notes that a response has carried an entry to its client, as far as the web server can tell.</summary>
    public void NoteRead(JournalEntry entry)
    {
        if (!Unread.Any)
            return;
        lock (Gate)
            Unread.Remove(entry.Position);
    }

    void ICommitOwner.Dropped(JournalEntry dropped, JournalEntry? relinked)
    {
        Tail.Remove(dropped.Position);
        GetStreams.TakeWaiting(dropped.Position);
        if (relinked is not null)
            Tail.Replace(relinked);
    }

    (SessionSnapshot Snapshot, IReadOnlyDictionary<string, ReadOnlyMemory<byte>> State) ICommitOwner.Copy(long lastCommit)
    {
        var record = _record with
        {
            ProtocolVersion = ProtocolVersion,
            Handshake = _handshake.Copy(),
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
        Calls.Find(entry.Stream) is not null || Unread.Contains(entry.Position) || entry.Stream == GetStreams.WaitingStream || GetStreams.IsLast(entry);

    // Under the gate. Puts a message into the open batch, at the next position of its stream. Null: dropped, see CommitQueue.Append.
    private JournalEntry? Append(EventStream stream, ReadOnlyMemory<byte> payload, MessageKind kind, string answers = "")
    {
        if (Queue.Append(stream, payload, kind, answers) is not { } entry)
            return null;
        if (kind.Lasts())
            Unread.Add(entry);
        Tail.Add(entry, question: kind == MessageKind.Request);
        return entry;
    }

    // Under the gate. Takes a message out of the journal again.
    private void Remove(long position)
    {
        Queue.Open().Remove(position);
        Tail.Remove(position);
    }
}

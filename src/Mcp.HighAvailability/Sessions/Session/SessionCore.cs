using Mcp.HighAvailability.Protocol;
using Mcp.HighAvailability.Storage;
using ModelContextProtocol.Protocol;

namespace Mcp.HighAvailability.Sessions;

/// <summary>A session in its owner: plain data, changed by one step at a time. <see cref="SessionRunner"/> runs the steps.</summary>
/// <remarks>
/// <para>No lock, no task, no I/O. A step reads and changes this data and returns what its caller has to know. The steps are in static classes
/// beside what they change: <c>*Steps</c> in <c>Calls</c>, <c>Streams</c> and <c>Ownership</c>.</para>
/// <para>Invariants:</para>
/// <list type="number">
/// <item>A call is admitted only in phase <see cref="SessionPhase.Active"/>. It is in <see cref="Calls"/> until it ends, and ends once.</item>
/// <item>A call that must not run twice is in the store before it runs.</item>
/// <item>What a call has done to the session is in the commit of its answer, or nowhere.</item>
/// <item>A session is given up between two calls, except when time is up: then its calls go to the next owner as after a crash.</item>
/// <item>Nothing is written after <see cref="SessionPhase.Draining"/>; nothing is shown after <see cref="SessionPhase.Released"/>.</item>
/// <item>Those of <see cref="CommitState"/>.</item>
/// </list>
/// </remarks>
internal sealed class SessionCore
{
    public SessionCore(SessionRecord record, SessionBroadcasts broadcasts, CommitContext commits, CallTable calls)
    {
        Record = record;
        Hops = record.Hops;
        Handshake = new(record.Handshake);
        Calls = calls;
        GetStreams = new(record.Epoch, record.Handshake.ContainsKey(HandshakeKeys.OneStream));
        Tail = new(IsNeeded);
        Unread = new(2 * commits.PendingEntries, 4 * commits.PendingBytes);
        Broadcasts = broadcasts;
        Commits = new(record, commits, Unread) { AddAlong = AddAlong };
    }

    /// <summary>The record as it was when this owner began.</summary>
    public SessionRecord Record { get; }

    public string ProtocolVersion { get; set; } = "";

    public SessionPhase Phase { get; private set; }

    /// <summary>The session was given up in good order, so that a client may be told to come back for it.</summary>
    public bool HandedOver { get; private set; }

    public SessionHops Hops { get; set; }

    public RecordedHandshake Handshake { get; }

    public CommitState Commits { get; }

    public CallTable Calls { get; }

    /// <summary>Server requests that are open, by the name that the client sees: the id that the SDK waits for.</summary>
    public Dictionary<string, RequestId> Questions { get; } = new(StringComparer.Ordinal);

    public GetStreams GetStreams { get; }

    /// <summary>How far the session has come in the broadcast log.</summary>
    public SessionBroadcasts Broadcasts { get; }

    public SessionStateBag State { get; } = new();

    /// <summary>Whether calls may begin while the session is about to move.</summary>
    public AdmissionState Admission { get; } = new();

    /// <summary>Part of the journal kept in memory.</summary>
    public JournalTail Tail { get; }

    /// <summary>Answers and server requests that no client has read yet.</summary>
    public UnreadEntries Unread { get; }

    /// <summary>Call streams that this owner has opened.</summary>
    public long CallStreams { get; set; }

    /// <summary>Server requests outside calls that this owner has sent.</summary>
    public long UnrelatedQuestions { get; set; }

    /// <summary>Notifications dropped since this was last read, because too much waited for the store.</summary>
    public int GivenUp { get; set; }

    public bool IsActive => Phase == SessionPhase.Active;

    /// <summary>All that the session sends, answers included, goes on one stream.</summary>
    public bool HasOneStream => GetStreams.Only is not null;

    /// <summary>Changes the phase if the transition table allows it.</summary>
    public bool TryBecome(SessionPhase next)
    {
        if (!Phase.MayBecome(next))
            return false;
        Phase = next;
        HandedOver |= next == SessionPhase.Released;
        if (!next.Writes())
            Commits.Stop();
        return true;
    }

    /// <summary>Puts a message into the batch that gathers, at the next position of its stream.</summary>
    /// <returns><see langword="null"/>: a notification that was dropped, because what waits for the store has reached the bounds.</returns>
    /// <remarks>
    /// Nothing that answers a client is dropped. While the store is away, the oldest progress and log notifications are dropped beyond the bounds, then
    /// the oldest other notifications. Their streams show no gap and can be resumed.
    /// </remarks>
    public JournalEntry? Append(EventStream stream, ReadOnlyMemory<byte> payload, MessageKind kind, string answers = "")
    {
        while (Commits.LacksRoom(payload.Length))
        {
            if (Commits.DropOldest(kind) is { } drop)
            {
                GivenUp++;
                Tail.Remove(drop.Dropped.Position);
                GetStreams.TakeWaiting(drop.Dropped.Position);
                if (drop.Relinked is { } relinked)
                    Tail.Replace(relinked);
                continue;
            }

            if (kind.Lasts())
                break;
            GivenUp++;
            return null;
        }

        var entry = Commits.Append(stream, payload, kind, answers);
        if (kind.Lasts())
            Unread.Add(entry);
        Tail.Add(entry, question: kind == MessageKind.Request);
        return entry;
    }

    /// <summary>Takes a message out of the journal again.</summary>
    public void Remove(long position)
    {
        Commits.Open().Remove(position);
        Tail.Remove(position);
    }

    /// <summary>All of the session as it is now, for a store that has lost it.</summary>
    public (SessionSnapshot Snapshot, IReadOnlyDictionary<string, ReadOnlyMemory<byte>> State) Copy(long lastCommit)
    {
        Handshake.Set(HandshakeKeys.Broadcast, Broadcasts.Record());
        var record = Record with
        {
            ProtocolVersion = ProtocolVersion,
            Handshake = Handshake.Copy(),
            LastPosition = Commits.LastPosition,
            LastCommit = lastCommit,
            Hops = Hops,
        };
        return (new(record, Calls.InFlight(), Tail.Entries), State.Copy());
    }

    // What goes along with any commit, and causes none.
    private void AddAlong(CommitBatch batch)
    {
        if (Broadcasts.IsAhead)
            BroadcastSteps.AddTo(this, batch);
    }

    // Entries that a later owner needs: to go on with open calls, for GET streams to come, and to notice a gap.
    private bool IsNeeded(JournalEntry entry) =>
        Calls.Find(entry.Stream) is not null || Unread.Contains(entry.Position) || entry.Stream == SseEventId.WaitingStream || GetStreams.IsLast(entry);
}

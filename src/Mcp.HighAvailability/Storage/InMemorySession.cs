using Mcp.HighAvailability.Protocol;

namespace Mcp.HighAvailability.Storage;

/// <summary>One session of <see cref="InMemorySessions"/>. Every access holds the lock on the instance.</summary>
internal sealed class InMemorySession(SessionRecord record)
{
    private readonly Dictionary<string, ReadOnlyMemory<byte>> _calls = [];
    private readonly Dictionary<string, ReadOnlyMemory<byte>> _state = [];
    private readonly List<JournalEntry> _journal = [];
    private long _bytes;
    private long _top;

    /// <summary>The record; of an ended session only its epoch counts.</summary>
    public SessionRecord Record { get; set; } = record;

    /// <summary>When the session, or the mark of its end, is forgotten.</summary>
    public DateTimeOffset Expires { get; set; }

    public bool Ended { get; private set; }

    public SessionOwner Owner => new(Record.Owner, Record.Epoch, Record.LastPosition, Record.LastCommit);

    // Who has handed it over last.
    private string _released = "";

    public void TakeOver(string newOwner, DateTimeOffset now)
    {
        var (owner, epoch) = (Record.Owner, Record.Epoch + 1);
        var hop = new SessionHop(epoch, owner.Length > 0 ? owner : _released, newOwner, TakeOverReasons.Of(owner, newOwner), now);
        Record = Record with { Owner = newOwner, Epoch = epoch, Hops = Record.Hops.With(hop) };
    }

    public void Release()
    {
        if (Record.Owner.Length > 0)
            _released = Record.Owner;
        Record = Record with { Owner = "" };
    }

    /// <summary>Applies a commit that has passed the fence. Returns how many entries of the journal it has trimmed.</summary>
    public int Apply(SessionCommit commit, SessionStoreOptions options, DateTimeOffset now)
    {
        Append(commit.Append);
        foreach (var position in commit.Remove)
            Remove(position);

        Change(_calls, commit.Calls);
        Change(_state, commit.State);
        Record = Record with
        {
            LastPosition = commit.LastPosition,
            LastCommit = commit.Number,
            Hops = commit.TakeOverTook is { } took ? Record.Hops.With(commit.Epoch, took) : Record.Hops,
            Handshake = commit.Handshake.Count == 0 ? Record.Handshake : Changed(Record.Handshake, commit.Handshake),
        };

        var aged = commit.Touch ? TrimByAge(now - options.JournalAge) : 0;
        return aged + TrimToBounds(options, commit.Unread);
    }

    public SessionSnapshot Snapshot() => new(Record, new Dictionary<string, ReadOnlyMemory<byte>>(_calls), [.. _journal]) { State = State() };

    public IReadOnlyDictionary<string, ReadOnlyMemory<byte>> State() => new Dictionary<string, ReadOnlyMemory<byte>>(_state);

    public JournalEntry[] Read(string stream, long after) =>
        [.. _journal.Where(entry => entry.Position > after && (stream.Length == 0 || entry.Stream == stream))];

    public void End()
    {
        Ended = true;
        Clear();
    }

    public void Replace(SessionSnapshot snapshot, IReadOnlyDictionary<string, ReadOnlyMemory<byte>> state, SessionStoreOptions options)
    {
        _calls.Clear();
        _state.Clear();
        Record = snapshot.Record;
        foreach (var call in snapshot.Calls)
            _calls[call.Key] = call.Value;
        foreach (var value in state)
            _state[value.Key] = value.Value;
        foreach (var moved in _journal.Where(e => e.Stream == SseEventId.WaitingStream).Select(e => e.Position).Except(snapshot.Journal.Select(e => e.Position))
            .ToList())
            Remove(moved);
        Append([.. snapshot.Journal.Where(entry => entry.Position > _top)]);
        TrimToBounds(options, snapshot.Unread);
    }

    private void Append(IReadOnlyList<JournalEntry> entries)
    {
        if (entries.Count > 0 && entries[0].Position <= _top)
            throw JournalPositions.Taken(Record.Id);

        foreach (var entry in entries)
        {
            _journal.Add(entry);
            _bytes += entry.Payload.Length;
            _top = entry.Position;
        }
    }

    private void Remove(long position)
    {
        var index = _journal.FindIndex(entry => entry.Position == position);
        if (index < 0)
            return;
        _bytes -= _journal[index].Payload.Length;
        _journal.RemoveAt(index);
    }

    private int TrimByAge(DateTimeOffset oldest)
    {
        var count = 0;
        while (count < _journal.Count - 1 && _journal[count].Time < oldest)
            count++;
        return RemoveOldest(count);
    }

    private int TrimToBounds(SessionStoreOptions options, IReadOnlyList<long> unread)
    {
        if (_journal.Count <= options.JournalEntries && _bytes <= options.JournalBytes)
            return 0;
        var (before, kept) = (_journal.Count, JournalTrimming.Kept(_journal, options, unread).ToList());
        _journal.Clear();
        _journal.AddRange(kept);
        _bytes = kept.Sum(entry => (long)entry.Payload.Length);
        return before - kept.Count;
    }

    private int RemoveOldest(int count)
    {
        for (var i = 0; i < count; i++)
            _bytes -= _journal[i].Payload.Length;
        _journal.RemoveRange(0, count);
        return count;
    }

    private void Clear()
    {
        _calls.Clear();
        _state.Clear();
        ClearJournal();
    }

    private void ClearJournal()
    {
        _journal.Clear();
        _bytes = 0;
        _top = 0;
    }

    private static Dictionary<string, ReadOnlyMemory<byte>> Changed(
        IReadOnlyDictionary<string, ReadOnlyMemory<byte>> before,
        IReadOnlyList<KeyValuePair<string, ReadOnlyMemory<byte>?>> changes)
    {
        var after = new Dictionary<string, ReadOnlyMemory<byte>>(before);
        Change(after, changes);
        return after;
    }

    private static void Change(Dictionary<string, ReadOnlyMemory<byte>> table, IReadOnlyList<KeyValuePair<string, ReadOnlyMemory<byte>?>> changes)
    {
        foreach (var (key, value) in changes)
        {
            if (value is { } set)
                table[key] = set;
            else
                table.Remove(key);
        }
    }
}

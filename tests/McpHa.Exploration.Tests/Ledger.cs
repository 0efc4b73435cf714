using System.Text;
using Mcp.HighAvailability.Storage;

namespace McpHa.Tests;

/// <summary>What the store has accepted: the truth against which everything is checked that a client sees.</summary>
/// <remarks>
/// It remembers what the store has lost, too: the newest owner has it and must write it back. Invariant: in one incarnation the epoch of the store never
/// goes down; only a loss of all data sets it back.
/// </remarks>
internal sealed class Ledger
{
    private readonly Dictionary<long, (string Stream, string Payload)> _entries = [];
    private readonly HashSet<string> _payloads = [];
    private (long Epoch, long Commit) _newest;
    private (long Epoch, long Commit) _held;
    private bool _forgotten;

    public List<string> Violations { get; } = [];

    /// <summary>The replica that owns the session in its newest epoch; empty: it was handed over, and no replica has taken it yet.</summary>
    public string Owner { get; private set; } = "";

    /// <summary>Whether the store lacks something that it once had.</summary>
    public bool IsStoreBehind
    {
        get
        {
            lock (_entries)
                return _held.CompareTo(_newest) < 0;
        }
    }

    /// <summary>Whether an owner has written back whose session a newer one has, which the store had lost.</summary>
    public bool HasTakenOlder { get; private set; }

    public void Created(SessionRecord record)
    {
        lock (_entries)
            Own(record.Owner, (record.Epoch, 0));
    }

    /// <summary>A replica has taken the session over.</summary>
    /// <returns>Whether it was taken from an older owner than the newest, because the store had lost the newest.</returns>
    public bool TakenOver(SessionRecord record)
    {
        lock (_entries)
        {
            var bypassed = _held.Epoch < _newest.Epoch;
            _forgotten |= bypassed;
            if (record.Epoch > _held.Epoch)
                Own(record.Owner, (record.Epoch, record.LastCommit));
            return bypassed;
        }
    }

    public void Committed(SessionCommit commit)
    {
        lock (_entries)
        {
            // A repetition of what was applied before the take-over changes nothing, and that is all that an old epoch may do.
            Append(commit.Append, commit.Epoch);
            Hold((commit.Epoch, commit.Number));
        }
    }

    public void WrittenBack(SessionSnapshot snapshot)
    {
        lock (_entries)
        {
            var record = snapshot.Record;
            if (record.Epoch < _held.Epoch)
                Violations.Add($"The store took a write-back of epoch {record.Epoch} in epoch {_held.Epoch}.");

            // The store leaves alone what it has of this owner; a repeated write-back adds nothing.
            if (_held.CompareTo((record.Epoch, record.LastCommit)) >= 0)
                return;
            HasTakenOlder |= record.Epoch < _newest.Epoch;
            Append(snapshot.Journal, record.Epoch);
            Hold((record.Epoch, record.LastCommit));
        }
    }

    public void Released(long epoch)
    {
        lock (_entries)
        {
            if (epoch == _newest.Epoch)
                Owner = "";
        }
    }

    /// <summary>The store has lost everything.</summary>
    public void Lost()
    {
        lock (_entries)
            _held = default;
    }

    /// <summary>What the newest owner alone had is gone. From now on the newest is what the store has or is given next.</summary>
    public void Forget()
    {
        lock (_entries)
            (_newest, _forgotten, Owner) = (_held, true, "");
    }

    /// <summary>Whether an event that a client got was accepted before.</summary>
    public bool Holds(string stream, long position, string payload)
    {
        lock (_entries)
            return _entries.TryGetValue(position, out var entry) && entry == (stream, payload);
    }

    public bool Holds(string payload)
    {
        lock (_entries)
            return _payloads.Contains(payload);
    }

    private void Append(IReadOnlyList<JournalEntry> entries, long epoch)
    {
        foreach (var entry in entries)
        {
            var written = (entry.Stream, Payload: Encoding.UTF8.GetString(entry.Payload.Span));
            if (_entries.TryGetValue(entry.Position, out var before))
            {
                // An owner that goes on from less than the newest had gives the positions of what is forgotten again.
                if (before != written && !_forgotten)
                    Violations.Add($"Position {entry.Position} was given twice: to {before} and to {written}.");
                if (before == written || !_forgotten)
                    continue;
            }

            if (epoch < _held.Epoch)
                Violations.Add($"The journal took {written} of epoch {epoch} in epoch {_held.Epoch}.");
            _entries[entry.Position] = written;
            _payloads.Add(written.Payload);
        }
    }

    private void Own(string owner, (long Epoch, long Commit) at)
    {
        Owner = owner;
        _newest = _held = at;
    }

    private void Hold((long Epoch, long Commit) at)
    {
        if (_held.CompareTo(at) < 0)
            _held = at;
        if (_newest.CompareTo(at) < 0)
            _newest = at;
    }
}

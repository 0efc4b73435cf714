using Mcp.HighAvailability.Storage;

namespace Mcp.HighAvailability.Sessions;

/// <summary>The part of a session's journal that its owner keeps in memory, for a store that loses its data. Plain data, part of the session's state.</summary>
/// <remarks>
/// Kept are entries that a later owner could not do without (those of open calls, the waiting ones, the last one of each GET stream), and
/// a few of the newest besides, for clients that have not read them yet. All of it is bounded: of a call that has sent more, what its
/// client was asked is kept longest.
/// </remarks>
internal sealed class JournalTail(Func<JournalEntry, bool> isNeeded)
{
    private const int MaxOthers = 12;
    private const int MaxOtherBytes = 3 * 1024;
    private const int MaxNeeded = 512;
    private const int MaxNeededBytes = 256 * 1024;

    // How much may come on top before the list is looked through again.
    private const int SlackEntries = 8;
    private const int SlackBytes = 1024;

    private List<(JournalEntry Entry, bool Question)>? _entries;
    private long _bytes;
    private int _trimAtEntries = MaxOthers + SlackEntries;
    private long _trimAtBytes = MaxOtherBytes + SlackBytes;

    /// <summary>Kept entries, positions ascending.</summary>
    public IReadOnlyList<JournalEntry> Entries => _entries is { } entries ? [.. entries.Select(e => e.Entry)] : [];

    /// <summary>Kept entries between two positions, ascending: of a stream, or of all streams if it is empty.</summary>
    public Queue<JournalEntry> Between(string stream, long after, long before) =>
        new(Entries.Where(e => e.Position > after && e.Position < before && (stream.Length == 0 || e.Stream == stream)));

    /// <summary>Adds the newest entry.</summary>
    public void Add(JournalEntry entry, bool question = false)
    {
        (_entries ??= []).Add((entry, question));
        _bytes += entry.Payload.Length;
        if (_entries.Count > _trimAtEntries || _bytes > _trimAtBytes)
            Trim(_entries);
    }

    /// <summary>Forgets an entry that was taken out of the journal.</summary>
    public void Remove(long position)
    {
        if (_entries?.FindIndex(e => e.Entry.Position == position) is >= 0 and var index)
        {
            _bytes -= _entries[index].Entry.Payload.Length;
            _entries.RemoveAt(index);
        }
    }

    /// <summary>Puts an entry in the place of the one with its position.</summary>
    public void Replace(JournalEntry entry)
    {
        if (_entries?.FindIndex(e => e.Entry.Position == entry.Position) is >= 0 and var index)
            _entries[index] = (entry, _entries[index].Question);
    }

    // From the newest back: what comes first finds room.
    private void Trim(List<(JournalEntry Entry, bool Question)> entries)
    {
        var kept = new List<(JournalEntry, bool)>(entries.Count);
        var (others, needed) = ((Count: 0, Bytes: 0L), (Count: 0, Bytes: 0L));
        for (var i = entries.Count - 1; i >= 0; i--)
        {
            var (entry, question) = entries[i];
            var length = entry.Payload.Length;
            if (isNeeded(entry))
            {
                if (!question && (needed.Count >= MaxNeeded || needed.Bytes + length > MaxNeededBytes))
                    continue;
                needed = (needed.Count + 1, needed.Bytes + length);
            }
            else
            {
                if (others.Count >= MaxOthers || others.Bytes + length > MaxOtherBytes)
                    continue;
                others = (others.Count + 1, others.Bytes + length);
            }

            kept.Add(entries[i]);
        }

        kept.Reverse();
        kept.TrimExcess();
        _entries = kept;
        _bytes = others.Bytes + needed.Bytes;
        _trimAtEntries = Math.Max(MaxOthers, kept.Count) + Math.Max(SlackEntries, kept.Count / 8);
        _trimAtBytes = Math.Max(MaxOtherBytes, _bytes) + Math.Max(SlackBytes, _bytes / 8);
    }
}

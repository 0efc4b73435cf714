using Mcp.HighAvailability.Storage;

namespace Mcp.HighAvailability.Sessions;

/// <summary>
/// Answers and server requests of a session that no client has read yet, as far as the web server can tell. Plain data, part of the session's state.
/// </summary>
/// <remarks>Bounded: what a client never comes back for must not fill the journal. Beyond a bound the oldest count as read.</remarks>
internal sealed class UnreadEntries(int maxEntries, long maxBytes)
{
    // An earlier owner does not say which answers were read: so many of the newest count as unread.
    private const int MaxRestored = 256;

    private List<(long Position, int Length)>? _entries;
    private long _bytes;
    private volatile bool _any;

    /// <summary>Whether there are any. May be read on any thread.</summary>
    public bool Any => _any;

    /// <summary>Position of the oldest; <see cref="long.MaxValue"/> if there is none.</summary>
    public long First => _entries is [var first, ..] ? first.Position : long.MaxValue;

    /// <summary>Their positions, ascending.</summary>
    public IReadOnlyList<long> Positions => _entries is { } entries ? [.. entries.Select(e => e.Position)] : [];

    public bool Contains(long position) => IndexOf(position) >= 0;

    /// <summary>Adds an entry; positions ascend.</summary>
    public void Add(JournalEntry entry)
    {
        (_entries ??= []).Add((entry.Position, entry.Payload.Length));
        _bytes += entry.Payload.Length;
        _any = true;
        while (_entries.Count > 1 && (_entries.Count > maxEntries || _bytes > maxBytes))
            RemoveAt(0);
    }

    /// <summary>Adds an entry that an earlier owner has journaled; positions ascend.</summary>
    public void Restore(JournalEntry entry)
    {
        if (_entries?.Count >= MaxRestored)
            RemoveAt(0);
        Add(entry);
    }

    public void Remove(long position)
    {
        if (IndexOf(position) is >= 0 and var index)
            RemoveAt(index);
    }

    private int IndexOf(long position)
    {
        if (_entries is not { } entries)
            return -1;
        var (low, high) = (0, entries.Count - 1);
        while (low <= high)
        {
            var middle = (low + high) / 2;
            if (entries[middle].Position == position)
                return middle;
            (low, high) = entries[middle].Position < position ? (middle + 1, high) : (low, middle - 1);
        }

        return -1;
    }

    private void RemoveAt(int index)
    {
        _bytes -= _entries![index].Length;
        _entries.RemoveAt(index);
        if (_entries.Count == 0)
            (_entries, _any) = (null, false);
    }
}

using Mcp.HighAvailability.Protocol;
using Mcp.HighAvailability.Storage;

namespace Mcp.HighAvailability.Broadcast;

/// <summary>The newest entries of the log that a replica keeps, in order, within the bounds of the log. Not thread-safe.</summary>
/// <remarks>
/// Invariant: an entry enters once, behind everything that the log had before it. Where entries may have been lost in between, it says so
/// (<see cref="FollowedBroadcast.AfterGap"/>).
/// </remarks>
internal sealed class BroadcastChain(BroadcastOptions options)
{
    private const int MaxIncarnations = 32;

    // The last entry of each incarnation, oldest incarnation first. Kept longer than the entries, to recognize what comes late.
    private readonly List<BroadcastPosition> _ends = [];
    private readonly List<FollowedBroadcast> _kept = [];
    private int _start;
    private long _bytes;

    /// <summary>Whether the log was read: before that nothing is known of it.</summary>
    public bool IsRead { get; private set; }

    /// <summary>Ordinal of the newest entry of the first read.</summary>
    public long Began { get; private set; }

    /// <summary>Position behind which a read of the log begins.</summary>
    public BroadcastPosition Head { get; private set; }

    /// <summary>Behind the newest entry.</summary>
    public BroadcastCursor Last { get; private set; }

    /// <summary>Ordinal of the oldest entry that is kept; one more than the newest's if none is.</summary>
    public long First => Last.Ordinal - (_kept.Count - _start) + 1;

    /// <summary>Adds an entry that was pushed. <see langword="false"/>: the log must be read first.</summary>
    public bool TryAdd(BroadcastEntry entry)
    {
        if (!IsRead)
            return false;
        if (IsKnown(entry.Position))
            return true;
        if (!Follows(entry))
            return false;
        Add(entry, afterGap: false);
        Head = entry.Position;
        return true;
    }

    /// <summary>Adds what was read. What is new and does not follow the newest entry comes after a gap.</summary>
    /// <param name="page">What was read.</param>
    /// <param name="asked"><see cref="Head"/> when the read began.</param>
    /// <returns>
    /// <see langword="false"/>: entries were pushed or appended during the read, and the page may be older or newer than they are. Read again.
    /// </returns>
    public bool TryLoad(BroadcastPage page, BroadcastPosition asked)
    {
        if (Head != asked && !IsKnown(page.Head) && !page.Entries.Any(entry => entry.Position == Head))
            return false;
        foreach (var entry in page.Entries)
        {
            // Nothing was missed before the first read. A log that was empty then is followed from its first entry on.
            if (!IsKnown(entry.Position))
                Add(entry, afterGap: (IsRead || Last.Ordinal > 0) && !Follows(entry));
        }

        if (!IsRead)
            Began = Last.Ordinal;

        // A page that is older than the newest entry does not set the head back. Behind an empty log the next append goes on from what is known here.
        (IsRead, Head) = (true, page.Head.IsNone || IsKnown(page.Head) ? Last.Position : page.Head);
        return true;
    }

    /// <summary>The first kept entry behind an ordinal; <see langword="null"/> if there is none.</summary>
    public FollowedBroadcast? Next(long after)
    {
        var at = Math.Max(after + 1, First);
        return at > Last.Ordinal ? null : _kept[(int)(at - First) + _start];
    }

    /// <summary>
    /// Finds a position. <see langword="null"/>: it is not known here; after a read of the log, <see cref="LocateUnknown"/> says what that means.
    /// </summary>
    public BroadcastLocation? Locate(BroadcastPosition position)
    {
        if (!IsRead)
            return null;
        if (position.IsNone)
            return Behind(First - 1, position);
        var incarnation = IndexOf(position.Incarnation);
        if (incarnation < 0 || incarnation == _ends.Count - 1 && position.Number > _ends[^1].Number)
            return null;
        var after = Last.Ordinal;
        while (after >= First && Next(after - 1)!.Entry.Position is var entry &&
            (entry.Incarnation == position.Incarnation ? entry.Number > position.Number : IndexOf(entry.Incarnation) > incarnation))
        {
            after--;
        }

        return Behind(after, position);
    }

    /// <summary>Where a reader goes on whose position is not known here, although the log was just read.</summary>
    /// <remarks>It gets the kept entries that came later: behind an entry of its incarnation, or in a later incarnation. It may have had the others.</remarks>
    public BroadcastLocation LocateUnknown(BroadcastPosition position)
    {
        // Of the newest incarnation: an entry that the store has lost and the reader has had.
        if (_ends is [.., var end] && end.Incarnation == position.Incarnation)
            return new(Last.Ordinal, Gap: false);
        for (var ordinal = First; ordinal <= Last.Ordinal; ordinal++)
        {
            var entry = Next(ordinal - 1)!.Entry;
            var isLater = entry.Position.Incarnation == position.Incarnation
                ? entry.Position.Number > position.Number
                : entry.Previous.Incarnation == position.Incarnation || entry.Position.Incarnation > position.Incarnation;
            if (isLater)
                return new(ordinal - 1, MayMiss(position, entry.Previous));
        }

        // A position without a number says that the reader was told.
        return new(Last.Ordinal, Gap: position.Number > 0);
    }

    // Whether there may have been entries between a position that is not known here and the one before the next entry.
    private static bool MayMiss(BroadcastPosition position, BroadcastPosition previous) =>
        position.Number > 0 ? previous.IsNone || !position.Covers(previous) : previous.Incarnation > position.Incarnation;

    // An entry that the reader has not had may be missing before the first one that is kept.
    private BroadcastLocation Behind(long ordinal, BroadcastPosition position) =>
        new(ordinal, Gap: ordinal < First && Next(ordinal) is { Entry.Previous: var previous } && !position.Covers(previous));

    private int IndexOf(long incarnation) => _ends.FindLastIndex(end => end.Incarnation == incarnation);

    private bool IsKnown(BroadcastPosition position) =>
        _ends.Exists(end => end.Incarnation == position.Incarnation && end.Number >= position.Number);

    private bool Follows(BroadcastEntry entry) => entry.Previous.IsNone ? Last.Position.IsNone : Last.Position.Covers(entry.Previous);

    private void Add(BroadcastEntry entry, bool afterGap)
    {
        var followed = new FollowedBroadcast(entry, Last.Ordinal + 1, afterGap);
        _kept.Add(followed);
        _bytes += entry.Payload.Length;
        Last = followed.Cursor;
        if (_ends is [.., var end] && end.Incarnation == entry.Position.Incarnation)
            _ends[^1] = entry.Position;
        else
            _ends.Add(entry.Position);
        if (_ends.Count > MaxIncarnations)
            _ends.RemoveAt(0);
        Trim(entry.Time);
    }

    private void Trim(DateTimeOffset now)
    {
        while (_kept.Count - _start is > 1 and var count &&
            (count > options.MaxEntries || _bytes > options.MaxBytes || now - _kept[_start].Entry.Time > options.MaxAge))
        {
            _bytes -= _kept[_start].Entry.Payload.Length;
            _kept[_start++] = null!;
        }

        if (_start > options.MaxEntries)
        {
            _kept.RemoveRange(0, _start);
            _start = 0;
        }
    }
}

/// <summary>Where a reader goes on.</summary>
/// <param name="After">Behind the entry with this ordinal.</param>
/// <param name="Gap">Whether entries that it has not had are no longer kept.</param>
internal readonly record struct BroadcastLocation(long After, bool Gap);

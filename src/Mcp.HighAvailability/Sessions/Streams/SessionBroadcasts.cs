using System.Text;
using Mcp.HighAvailability.Broadcast;
using Mcp.HighAvailability.Protocol;
using Mcp.HighAvailability.Storage;

namespace Mcp.HighAvailability.Sessions;

/// <summary>
/// How far a session has come in the broadcast log, and which of its GET streams has had what. Plain data, part of <see cref="SessionCore"/>.
/// </summary>
/// <remarks>
/// <para>Invariant: an entry goes to one stream of the session. Which one is told by the stream's event ids and by this table, never by a write for the
/// entry:</para>
/// <list type="bullet">
/// <item>Entries up to <see cref="Cursor"/> were given to a stream, the others wait. They go to the newest stream that has a reader.</item>
/// <item>While a session has used one stream only, everything up to the cursor is that stream's, and the id of an event that the client has had says
/// where it stands.</item>
/// <item>Another stream enters the table, and the store, before it gets its first entry. So a later owner gives no stream what another one has had.</item>
/// </list>
/// <para>
/// A cursor in the store may be old. It is raised by each event id that a client brings; what lies between was given to that stream.
/// </para>
/// </remarks>
internal sealed class SessionBroadcasts
{
    // Beyond it the oldest part is any stream's.
    private const int MaxParts = 16;
    private const string AnyStream = "*";

    private readonly List<(string Stream, BroadcastCursor After)> _parts;
    private BroadcastCursor _recorded;

    private SessionBroadcasts(BroadcastCursor cursor, List<(string, BroadcastCursor)> parts) => (Cursor, _recorded, _parts) = (cursor, cursor, parts);

    /// <summary>Behind the newest entry that was given to a stream.</summary>
    public BroadcastCursor Cursor { get; private set; }

    /// <summary>Whether the store has an older cursor.</summary>
    public bool IsAhead => Cursor != _recorded;

    /// <summary>A session that begins.</summary>
    public static SessionBroadcasts Begin(BroadcastCursor at) => new(at, []);

    /// <summary>A session that an earlier owner had.</summary>
    /// <exception cref="StoreUnavailableException">The log cannot be read.</exception>
    public static async ValueTask<SessionBroadcasts> RestoreAsync(ReadOnlyMemory<byte>? record, BroadcastFollower follower, CancellationToken cancellationToken)
    {
        var words = record is { } bytes ? Encoding.ASCII.GetString(bytes.Span).Split(' ') : [];
        if (words.Length == 0 || !BroadcastPosition.TryParse(words[0], out var position))
            return new(await follower.BeginAsync(cancellationToken).ConfigureAwait(false), [(AnyStream, default)]);

        List<(string, BroadcastCursor)> parts = [];
        foreach (var word in words.AsMemory(1).ToArray())
        {
            if (word.Split('@') is [var stream, var after] && BroadcastPosition.TryParse(after, out var begin))
                parts.Add((stream, await CursorAsync(begin).ConfigureAwait(false)));
        }

        return new(await CursorAsync(position).ConfigureAwait(false), parts.Count > 0 ? parts : [(AnyStream, default)]);

        async ValueTask<BroadcastCursor> CursorAsync(BroadcastPosition at) =>
            ToCursor(at, await follower.LocateAsync(at, cancellationToken).ConfigureAwait(false));
    }

    /// <summary>A located position as a cursor.</summary>
    public static BroadcastCursor ToCursor(BroadcastPosition position, BroadcastLocation location) => new(location.After, position, location.Gap);

    /// <summary>
    /// The state for <see cref="HandshakeKeys.Broadcast"/>: the cursor's position, then <c>stream@position</c> of each part. Counts as recorded.
    /// </summary>
    public byte[] Record()
    {
        _recorded = Cursor;
        return Write(Cursor.Position, _parts);
    }

    /// <summary>The recorded state of a session that begins.</summary>
    public static byte[] Write(BroadcastPosition cursor) => Write(cursor, []);

    /// <summary>A stream is the one that gets entries from now on. <see langword="true"/>: that must be recorded before it gets one.</summary>
    public bool Open(string stream)
    {
        if (_parts is [.., var last] && last.Stream == stream)
            return false;
        if (_parts.Count == 0)
        {
            _parts.Add((stream, default));
            return false;
        }

        // A stream that has had nothing since it became the one leaves no part.
        if (_parts[^1].After == Cursor && _parts.Count > 1)
            _parts.RemoveAt(_parts.Count - 1);
        if (_parts[^1].Stream != stream)
            _parts.Add((stream, Cursor));
        if (_parts.Count > MaxParts)
            _parts.RemoveAt(0);
        _parts[0] = (_parts.Count > 1 && _parts[0].After != default ? AnyStream : _parts[0].Stream, default);
        return true;
    }

    /// <summary>A client comes back to a stream with a cursor. As <see cref="Open"/>.</summary>
    public bool Resume(string stream, BroadcastCursor at)
    {
        var ahead = at.Ordinal > Cursor.Ordinal;
        var record = Open(stream);
        if (ahead)
            Cursor = at;
        return record;
    }

    /// <summary>Looks for the next entry for a stream.</summary>
    /// <param name="follower">Has the entries.</param>
    /// <param name="stream">The stream.</param>
    /// <param name="at">How far its reader has come; moves over what is not the stream's.</param>
    /// <param name="isTarget">Whether the stream is the newest one that has a reader.</param>
    public BroadcastStep Next(BroadcastFollower follower, string stream, ref BroadcastCursor at, bool isTarget)
    {
        while (follower.Next(at.Ordinal) is { } next)
        {
            if (next.Ordinal <= Cursor.Ordinal && !IsOf(stream, next.Ordinal))
            {
                at = next.Cursor with { Gap = at.Gap };
                continue;
            }

            if (next.Ordinal > Cursor.Ordinal)
            {
                if (!isTarget)
                    return default;
                if (Open(stream))
                    return new(null, MustRecord: true);
                Cursor = next.Cursor;
            }

            // What this replica may have missed, the reader may have had elsewhere.
            var missed = next.AfterGap && (next.Entry.Previous.IsNone || !at.Position.Covers(next.Entry.Previous));
            var gap = missed || at.Gap || next.Ordinal > at.Ordinal + 1;
            at = next.Cursor;
            return new(next, Gap: gap);
        }

        if (!at.Gap)
            return default;

        // The place is not known here, and nothing came later. A client that comes back from behind its incarnation has been told.
        var isCursor = Cursor.Ordinal == at.Ordinal && Cursor.Position == at.Position;
        at = new(at.Ordinal, at.Position.Incarnation == follower.Last.Position.Incarnation ? at.Position : at.Position.BehindIncarnation);
        if (isCursor)
            Cursor = at;
        return new(null, Gap: true);
    }

    private bool IsOf(string stream, long ordinal)
    {
        var part = _parts.FindLast(part => part.After.Ordinal < ordinal);
        return part.Stream is null or AnyStream || part.Stream == stream;
    }

    private static byte[] Write(BroadcastPosition cursor, IEnumerable<(string Stream, BroadcastCursor After)> parts) =>
        Encoding.ASCII.GetBytes(string.Join(' ', parts.Select(part => $"{part.Stream}@{part.After.Position}").Prepend(cursor.ToString())));
}

/// <summary>Next entry of the log for a stream.</summary>
/// <param name="Broadcast">The entry; <see langword="null"/>: none now.</param>
/// <param name="Gap">Entries before it may be missing, or before the next one if there is none now.</param>
/// <param name="MustRecord">The session's state must be recorded first.</param>
internal readonly record struct BroadcastStep(FollowedBroadcast? Broadcast, bool Gap = false, bool MustRecord = false);

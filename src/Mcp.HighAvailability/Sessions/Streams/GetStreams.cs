using Mcp.HighAvailability.Protocol;
using Mcp.HighAvailability.Storage;

namespace Mcp.HighAvailability.Sessions;

/// <summary>The GET streams of a session, and the messages that wait for one. Plain data, part of <see cref="SessionCore"/>.</summary>
internal sealed class GetStreams
{
    /// <summary>Name of the one stream of a session that has one stream for everything.</summary>
    public static readonly string OnlyStream = SseEventId.NameStream(SseEventId.GetStream, 1, 1);

    /// <summary>Most messages that wait; the oldest are given up.</summary>
    public const int MaxWaiting = 256;

    private const int MaxKnown = 32;

    // Ordered by when a connection attached last.
    private readonly List<EventStream> _known = [];
    private readonly List<long> _waiting = [];
    private readonly long _epoch;
    private long _opened;

    /// <param name="epoch">Of the owner.</param>
    /// <param name="single">The session has one stream for everything.</param>
    public GetStreams(long epoch, bool single)
    {
        _epoch = epoch;
        if (!single)
            return;
        Only = new(OnlyStream);
        _known.Add(Only);
        _opened = 1;
    }

    /// <summary>The one stream that carries everything, answers too, if the session has one. Nothing waits for it: a late reader reads the journal.</summary>
    public EventStream? Only { get; }

    public EventStream Waiting { get; } = new(SseEventId.WaitingStream);

    public int WaitingCount => _waiting.Count;

    /// <summary>Waiting messages are being moved to a stream: newer ones must queue up behind them.</summary>
    public bool Moving { get; set; }

    public bool HasReader => _known.Exists(s => s.HasReader);

    public IEnumerable<EventStream> Known => _known;

    /// <summary>The newest stream that has a reader, if any. Broadcasts go there.</summary>
    public EventStream? Read => _known.FindLast(static stream => stream.HasReader);

    /// <summary>Where a message goes now: the newest stream that has a reader, or the waiting ones.</summary>
    public EventStream Target
    {
        get
        {
            if (Only is not null)
                return Only;
            if (!Moving)
            {
                for (var i = _known.Count - 1; i >= 0; i--)
                {
                    if (_known[i].HasReader)
                        return _known[i];
                }
            }

            return Waiting;
        }
    }

    public EventStream Open()
    {
        var stream = new EventStream(SseEventId.NameStream(SseEventId.GetStream, _epoch, ++_opened));
        Touch(stream);
        return stream;
    }

    /// <summary>Whether a GET stream of that name can have been opened, here or by an earlier owner.</summary>
    public bool WasOpened(SseEventId id) => id.Epoch < _epoch || id.Epoch == _epoch && id.Number <= _opened;

    /// <summary>Whether an entry is the newest on a GET stream that is known: what is missing before it can then be told.</summary>
    public bool IsLast(JournalEntry entry) =>
        entry.Stream[0] == SseEventId.GetStream && _known.Exists(s => s.LastPosition == entry.Position);

    /// <summary>The stream of that name; made anew when an earlier owner had opened it.</summary>
    public EventStream Find(string id)
    {
        var stream = _known.Find(s => s.Id == id) ?? new EventStream(id);
        Touch(stream);
        return stream;
    }

    /// <summary>
    /// To be called in the same breath as a reader attaches. Whether messages wait that are not moved yet: then the caller must move them, and
    /// newer ones queue up behind them from now on.
    /// </summary>
    public bool StartMoving()
    {
        if (Moving || _waiting.Count == 0)
            return false;
        return Moving = true;
    }

    /// <summary>Notes a waiting message. Returns the position of one that must be given up for it, or 0.</summary>
    public long AddWaiting(long position)
    {
        _waiting.Add(position);
        if (_waiting.Count <= MaxWaiting)
            return 0;
        var oldest = _waiting[0];
        _waiting.RemoveAt(0);
        return oldest;
    }

    /// <summary>Notes that a message no longer waits; <see langword="false"/> if it did not.</summary>
    public bool TakeWaiting(long position) => _waiting.Remove(position);

    private void Touch(EventStream stream)
    {
        _known.Remove(stream);
        _known.Add(stream);
        if (_known.Count > MaxKnown && _known.FindIndex(s => s != stream && !s.HasReader) is >= 0 and var unread)
            _known.RemoveAt(unread);
    }
}

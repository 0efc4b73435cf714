namespace Mcp.HighAvailability.Balancer.Status;

/// <summary>An event of the timeline, with those that followed from it. Used under the lock of its <see cref="Timeline"/>.</summary>
internal sealed class TimelineItem(TimelineKind kind, DateTimeOffset at, string replica, string to = "", string reason = "")
{
    private const int MaxFollowed = 50;
    private const int MaxPauses = 512;
    private static readonly TimeSpan Together = TimeSpan.FromSeconds(10);

    private readonly List<TimelineItem> _followed = [];
    private readonly List<double> _pauses = [];
    private int _count;
    private double _longest;
    private long _last;

    public TimelineKind Kind => kind;

    public DateTimeOffset At => at;

    public string Replica => replica;

    public int? Sessions { get; init; }

    public IEnumerable<TimelineItem> Followed => _followed;

    /// <summary>Other events follow from it.</summary>
    public bool IsIncident => kind is TimelineKind.Lost or TimelineKind.Stopping or TimelineKind.Drained;

    /// <summary>A session or a request moved.</summary>
    public bool IsMove => kind is TimelineKind.TakenOver or TimelineKind.Resumption;

    /// <summary>The replica is lost, has left, or takes sessions again.</summary>
    public bool IsOver => kind == TimelineKind.Lost || _followed.Exists(item => item.Kind is TimelineKind.Lost or TimelineKind.Left or TimelineKind.Resumed);

    /// <summary>The replica is gone, and no other one has joined since.</summary>
    public bool NeedsReplacement =>
        IsIncident && (kind == TimelineKind.Lost || _followed.Exists(item => item.Kind is TimelineKind.Lost or TimelineKind.Left)) &&
        !_followed.Exists(item => item.Kind is TimelineKind.Joined or TimelineKind.Back);

    public void Follow(TimelineItem item)
    {
        if (_followed.Count < MaxFollowed)
            _followed.Add(item);
    }

    /// <summary>Whether a move belongs to this item.</summary>
    public bool Gathers(TimelineKind other, string from, string target, string why, long now, TimeProvider time) =>
        kind == other && replica == from && to == target && reason == why && time.GetElapsedTime(_last, now) < Together;

    /// <summary>Counts a move and its pause.</summary>
    public void Note(double milliseconds, long now)
    {
        _last = now;
        _count++;
        _longest = Math.Max(_longest, milliseconds);

        // Of very many a sample that all of them are equally likely to be in.
        if (_pauses.Count < MaxPauses)
            _pauses.Add(milliseconds);
        else if (Random.Shared.Next(_count) is var slot && slot < MaxPauses)
            _pauses[slot] = milliseconds;
    }

    public TimelineEntry ToEntry()
    {
        var entry = new TimelineEntry(_followed.Select(item => item.At).Append(at).Min(), kind, replica, to, reason)
        {
            Sessions = Sessions,
            Followed = [.. _followed.OrderBy(item => item.At).Select(item => item.ToEntry())],
        };
        return _count == 0
            ? entry
            : entry with { Count = _count, TypicalMs = Math.Round(_pauses.Order().ElementAt(_pauses.Count / 2), 1), LongestMs = Math.Round(_longest, 1) };
    }
}

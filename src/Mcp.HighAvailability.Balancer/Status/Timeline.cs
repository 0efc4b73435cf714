using System.Text.Json.Serialization;

namespace Mcp.HighAvailability.Balancer.Status;

/// <summary>Events of the cluster.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<TimelineKind>))]
internal enum TimelineKind
{
    /// <summary>A replica is there.</summary>
    [JsonStringEnumMemberName("joined")]
    Joined,

    /// <summary>A replica that was lost is there again.</summary>
    [JsonStringEnumMemberName("back")]
    Back,

    /// <summary>A replica hands its sessions over, because it ends.</summary>
    [JsonStringEnumMemberName("stopping")]
    Stopping,

    /// <summary>A replica hands its sessions over, because an operator asked.</summary>
    [JsonStringEnumMemberName("drained")]
    Drained,

    /// <summary>A replica takes sessions again.</summary>
    [JsonStringEnumMemberName("resumed")]
    Resumed,

    /// <summary>A replica left in good order.</summary>
    [JsonStringEnumMemberName("left")]
    Left,

    /// <summary>A replica died, or cannot be reached.</summary>
    [JsonStringEnumMemberName("lost")]
    Lost,

    /// <summary>Sessions were taken over; as their new owner says.</summary>
    [JsonStringEnumMemberName("taken-over")]
    TakenOver,

    /// <summary>Exchanges of clients went on at another replica; as this balancer saw it.</summary>
    [JsonStringEnumMemberName("went-on")]
    WentOn,

    /// <summary>Redis cannot be read.</summary>
    [JsonStringEnumMemberName("registry-away")]
    RegistryAway,

    /// <summary>Redis can be read again.</summary>
    [JsonStringEnumMemberName("registry-back")]
    RegistryBack,
}

/// <summary>Something that happened, once or several times within seconds.</summary>
/// <param name="Time">When (of several the first), UTC.</param>
/// <param name="Kind">What.</param>
/// <param name="Replica">Replica that the entry is about; of sessions their former owner.</param>
/// <param name="To">Who has the sessions now.</param>
/// <param name="Reason">Why they were taken over.</param>
/// <param name="Count">How often.</param>
/// <param name="TypicalMs">The median of the pauses.</param>
/// <param name="LongestMs">The longest pause.</param>
internal sealed record TimelineEntry(
    DateTimeOffset Time, TimelineKind Kind, string Replica = "", string To = "", string Reason = "", int Count = 1, double? TypicalMs =
        null, double? LongestMs = null);

/// <summary>The last things that happened in the cluster. What belongs together is one entry: one death moves thousands of sessions.</summary>
internal sealed class Timeline(TimeProvider time)
{
    private const int Kept = 100;
    private const int MaxPauses = 512;
    private static readonly TimeSpan Together = TimeSpan.FromSeconds(10);

    private readonly LinkedList<Item> _items = new();

    /// <summary>Newest first.</summary>
    public IReadOnlyList<TimelineEntry> Recent()
    {
        lock (_items)
            return [.. _items.Select(item => item.ToEntry()).OrderByDescending(entry => entry.Time)];
    }

    public void Add(TimelineKind kind, string replica = "", DateTimeOffset? at = null)
    {
        lock (_items)
            Keep(new Item(new(at ?? time.GetUtcNow(), kind, replica), 0));
    }

    /// <summary>Notes a pause: with others of the same kind, way and reason, as long as they come within seconds of each other.</summary>
    public void Add(TimelineKind kind, string from, string to, string reason, TimeSpan pause)
    {
        var now = time.GetTimestamp();
        lock (_items)
        {
            var item = _items.FirstOrDefault(item =>
                item.First.Kind == kind && item.First.Replica == from && item.First.To == to && item.First.Reason == reason &&
                    time.GetElapsedTime(item.Last, now) < Together);
            if (item is null)
                Keep(item = new(new(time.GetUtcNow(), kind, from, to, reason), now));
            item.Note(pause.TotalMilliseconds, now);
        }
    }

    private void Keep(Item item)
    {
        _items.AddFirst(item);
        if (_items.Count > Kept)
            _items.RemoveLast();
    }

    private sealed class Item(TimelineEntry first, long last)
    {
        private readonly List<double> _pauses = [];
        private int _count;
        private double _longest;

        public TimelineEntry First => first;

        public long Last { get; private set; } = last;

        public void Note(double milliseconds, long now)
        {
            Last = now;
            _count++;
            _longest = Math.Max(_longest, milliseconds);

            // Of very many a sample that all of them are equally likely to be in.
            if (_pauses.Count < MaxPauses)
                _pauses.Add(milliseconds);
            else if (Random.Shared.Next(_count) is var slot && slot < MaxPauses)
                _pauses[slot] = milliseconds;
        }

        public TimelineEntry ToEntry() => _count == 0
            ? first
            : first with { Count = _count, TypicalMs = Math.Round(_pauses.Order().ElementAt(_pauses.Count / 2), 1), LongestMs = Math.Round(_longest, 1) };
    }
}

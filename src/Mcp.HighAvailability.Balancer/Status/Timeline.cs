namespace Mcp.HighAvailability.Balancer.Status;

/// <summary>The last things that happened in the cluster. The loss or drain of a replica and all that followed from it are one entry. Thread-safe.</summary>
internal sealed class Timeline(TimeProvider time)
{
    private const int Kept = 100;

    // A relay or another replica may notice a loss before the directory of this balancer does.
    private static readonly TimeSpan Ahead = TimeSpan.FromSeconds(30);

    private readonly Lock _gate = new();
    private readonly LinkedList<TimelineItem> _items = new();

    /// <summary>Newest first.</summary>
    public IReadOnlyList<TimelineEntry> Recent()
    {
        lock (_gate)
            return [.. _items.Select(item => item.ToEntry()).OrderByDescending(entry => entry.Time)];
    }

    /// <summary>Notes an event.</summary>
    /// <param name="kind">What happened.</param>
    /// <param name="replica">To which replica.</param>
    /// <param name="at">When; by default now.</param>
    public void Add(TimelineKind kind, string replica = "", DateTimeOffset? at = null)
    {
        lock (_gate)
        {
            var item = new TimelineItem(kind, at ?? time.GetUtcNow(), replica);
            if (CauseOf(kind, replica) is { } cause)
                cause.Follow(item);
            else
                Keep(item);
        }
    }

    /// <summary>Notes the loss of a replica, with what had been noticed of it before.</summary>
    /// <param name="replica">The replica.</param>
    /// <param name="lastHeard">Its last heartbeat. A replica that joined after it takes the place of the lost one.</param>
    /// <param name="sessions">Sessions that it had then.</param>
    public void AddLost(string replica, DateTimeOffset lastHeard, int? sessions = null)
    {
        lock (_gate)
        {
            var item = new TimelineItem(TimelineKind.Lost, time.GetUtcNow(), replica) { Sessions = sessions };
            if (IncidentOf(replica) is { IsOver: false } incident)
            {
                incident.Follow(item);
                return;
            }

            foreach (var early in _items.Where(early => early.IsMove && early.Replica == replica && time.GetUtcNow() - early.At < Ahead).Reverse().ToList())
                Adopt(item, early);
            if (_items.LastOrDefault(joined => joined.Kind == TimelineKind.Joined && joined.At > lastHeard) is { } replacement)
                Adopt(item, replacement);
            Keep(item);
        }
    }

    /// <summary>Notes that a session or a request of a replica moved to another one; several within seconds are counted together.</summary>
    public void Add(TimelineKind kind, string from, string to, string reason, TimeSpan pause)
    {
        var now = time.GetTimestamp();
        lock (_gate)
        {
            var incident = IncidentOf(from);
            var item = (incident?.Followed ?? _items.AsEnumerable()).LastOrDefault(item => item.Gathers(kind, from, to, reason, now, time));
            if (item is null)
            {
                item = new TimelineItem(kind, time.GetUtcNow(), from, to, reason);
                if (incident is null)
                    Keep(item);
                else
                    incident.Follow(item);
            }

            item.Note(pause.TotalMilliseconds, now);
        }
    }

    private TimelineItem? CauseOf(TimelineKind kind, string replica) => kind switch
    {
        TimelineKind.Left or TimelineKind.Resumed or TimelineKind.Back => IncidentOf(replica),
        TimelineKind.Stopping => IncidentOf(replica) is { IsOver: false } drained ? drained : null,
        TimelineKind.Joined => _items.LastOrDefault(item => item.NeedsReplacement && time.GetUtcNow() - item.At < 10 * Ahead),
        TimelineKind.RegistryBack => _items.FirstOrDefault(item => item.Kind == TimelineKind.RegistryAway),
        _ => null,
    };

    // The newest: a replica may be drained again.
    private TimelineItem? IncidentOf(string replica) => _items.FirstOrDefault(item => item.IsIncident && item.Replica == replica);

    private void Adopt(TimelineItem item, TimelineItem early)
    {
        _items.Remove(early);
        item.Follow(early);
    }

    private void Keep(TimelineItem item)
    {
        _items.AddFirst(item);
        if (_items.Count > Kept)
            _items.RemoveLast();
    }
}

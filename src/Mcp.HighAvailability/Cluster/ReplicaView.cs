using System.Collections.Concurrent;
using Mcp.HighAvailability.Storage;

namespace Mcp.HighAvailability.Cluster;

/// <summary>One process's view of all replicas, from registry readings, the time since, and refused connections.</summary>
/// <remarks>Times are readings of the local clock. Members that change are called under a lock; what they publish is read without one.</remarks>
/// <param name="options">When a silent replica is given up.</param>
/// <param name="selfId">This process's own replica, if it is one.</param>
/// <param name="heartbeatIsEnough">Whether a heartbeat brings back who was unreachable; otherwise only <see cref="Trust"/> does.</param>
/// <param name="onLost">Called once for each lost replica, without the lock.</param>
internal sealed class ReplicaView(ClusterOptions options, string? selfId, bool heartbeatIsEnough = true, Action<string, ReplicaLoss>? onLost = null)
{
    private static readonly CancellationToken AlreadyLost = new(canceled: true);

    private readonly Dictionary<string, ReplicaEntry> _entries = new(StringComparer.Ordinal);
    private readonly ConcurrentQueue<(string Id, ReplicaLoss Reason)> _losses = new();
    private readonly Lock _lock = new();
    private TimeSpan? _lastRead;
    private volatile Published _published = new([], new Dictionary<string, ReplicaEntry>(), 0);
    private volatile TaskCompletionSource _changed = NewChange();

    public IReadOnlyList<ReplicaInfo> Alive => _published.Alive;

    public Task Changed => _changed.Task;

    /// <summary>How often another replica has come, or come back. If it is the same before a look at <see cref="Alive"/> and later, none has since.</summary>
    public long Arrivals => _published.Arrivals;

    public ReplicaInfo? Find(string id) => _published.ById.TryGetValue(id, out var entry) ? entry.Info : null;

    public CancellationToken LostToken(string id) =>
        id == selfId ? CancellationToken.None
        : _published.ById.TryGetValue(id, out var entry) ? entry.LostToken
        : AlreadyLost;

    /// <summary>The count of this process's exchanges with a replica; <see langword="null"/> when it is not alive.</summary>
    public ReplicaUse? Use(string id) => _published.ById.TryGetValue(id, out var entry) ? entry.Use : null;

    /// <summary>Replicas that are alive and worth a probe: this process has an exchange open with them, or their heartbeat is missing.</summary>
    public IReadOnlyList<WatchedReplica> Watched(TimeSpan now)
    {
        lock (_lock)
        {
            List<WatchedReplica>? watched = null;
            foreach (var entry in _entries.Values)
            {
                if (!entry.Alive || entry.Info.Id == selfId)
                    continue;
                var missed = IsMissed(entry, now);
                if (missed || entry.Doubted || entry.Use.IsOpen)
                    (watched ??= []).Add(new(entry.Info, entry.Use.LastReceived, missed, now - entry.LastBeat >= options.MissingAfter));
            }

            return watched ?? (IReadOnlyList<WatchedReplica>)[];
        }
    }

    /// <summary>A connection to a replica took too long: it is watched until it gives a sign of life.</summary>
    public void Doubt(string id, bool doubted)
    {
        if (_published.ById.TryGetValue(id, out var entry))
            entry.Doubted = doubted;
    }

    /// <summary>How many replicas were lost lately because they were silent.</summary>
    public int SilentLately(TimeSpan now)
    {
        lock (_lock)
        {
            return _entries.Values.Count(entry =>
                entry.Suspected is { } since && entry.Reason is ReplicaLoss.Silent or ReplicaLoss.Unreachable && now - since < options.Overdue);
        }
    }

    /// <summary>How many replicas are alive, without this process's own.</summary>
    public int Others => _published.Alive.Count(replica => replica.Id != selfId);

    /// <summary>Whether a recent reading shows that the heartbeat of a replica that is alive is missing.</summary>
    public bool IsBeatMissed(string id, TimeSpan now)
    {
        lock (_lock)
            return id != selfId && _entries.TryGetValue(id, out var entry) && entry.Alive && IsMissed(entry, now);
    }

    // By the clock of the registry, so this process's own delays do not matter. Without a recent reading nothing is known.
    private bool IsMissed(ReplicaEntry entry, TimeSpan now) =>
        entry.LastListed == _lastRead && entry.AgeRead >= options.MissingAfter && now - _lastRead <= options.MissingAfter;

    /// <summary>Replicas that were unreachable and may be back: they have beaten since, or that is unknown.</summary>
    public IReadOnlyList<ReplicaInfo> Suspected(bool registryAway) =>
        Where(entry => entry.Suspected is not null && !entry.Left && (registryAway || entry.HasBeaten));

    /// <summary>Returns the replicas of the last reading, lost ones included, with ages as of now.</summary>
    public IReadOnlyList<RegisteredReplica> Known(TimeSpan now)
    {
        lock (_lock)
        {
            return [.. _entries.Values
                .Select(entry => new RegisteredReplica(entry.Info, now > entry.LastBeat ? now - entry.LastBeat : TimeSpan.Zero))
                .OrderBy(replica => replica.Replica.Id, StringComparer.Ordinal)];
        }
    }

    /// <summary>Takes over a reading of the registry that was asked for at <paramref name="before"/> and arrived at <paramref name="after"/>.</summary>
    public void Apply(ReplicaInfo? self, IReadOnlyList<RegisteredReplica> reading, TimeSpan before, TimeSpan after)
    {
        lock (_lock)
        {
            // Peers could not be heard while we were cut off or paused: that silence is ours, not theirs.
            var wasDeaf = _lastRead is { } last && after - last > 1.5 * options.HeartbeatInterval;
            _lastRead = after;

            foreach (var (replica, age) in reading)
            {
                if (replica.Id == selfId)
                    continue;

                if (!_entries.TryGetValue(replica.Id, out var entry))
                    _entries.Add(replica.Id, entry = new ReplicaEntry(replica));

                entry.Info = replica;
                entry.LastBeat = after - age;
                entry.AgeRead = age;
                entry.LastListed = after;

                // The beat was certainly not before this, so it is news of a replica that was unreachable earlier.
                if (entry.Suspected < before - age)
                {
                    entry.HasBeaten = true;
                    if (heartbeatIsEnough)
                        entry.Suspected = null;
                }
            }

            foreach (var entry in _entries.Values)
            {
                if (wasDeaf && entry.Alive)
                    entry.Floor = after;

                // Gone from the registry: left in good order if it was shutting down; otherwise the registry has lost its data, and
                // the replica has the usual time to write itself back.
                if (entry.LastListed != after && entry.Info is { Draining: true, Stays: false })
                    entry.Left = true;
            }

            if (self is not null)
                _entries[self.Id] = new ReplicaEntry(self) { LastBeat = after, LastListed = after };

            Publish(after);
            foreach (var id in _entries.Where(pair => pair.Value.LastListed != after && !pair.Value.Alive).Select(pair => pair.Key).ToList())
                _entries.Remove(id);
        }

        TellLosses();
    }

    /// <summary>Makes this process's own entry current, whatever the registry does.</summary>
    public void ApplySelf(ReplicaInfo self, TimeSpan now)
    {
        lock (_lock)
        {
            _entries[self.Id] = new ReplicaEntry(self) { LastBeat = now, LastListed = now };
            Publish(now);
        }

        TellLosses();
    }

    /// <summary>Takes a replica for lost until it answers again.</summary>
    public void Suspect(string id, TimeSpan now, ReplicaLoss reason = ReplicaLoss.Refused)
    {
        lock (_lock)
        {
            if (id == selfId || !_entries.TryGetValue(id, out var entry))
                return;

            entry.Suspected = now;
            entry.Reason = reason;
            entry.HasBeaten = false;
            Publish(now);
        }

        TellLosses();
    }

    /// <summary>A replica that reaches the registry has answered what it was asked at <paramref name="asked"/>: that counts as a heartbeat.</summary>
    public void Answered(string id, TimeSpan asked)
    {
        lock (_lock)
        {
            if (_entries.TryGetValue(id, out var entry) && entry.Alive && entry.Floor < asked)
                entry.Floor = asked;
        }
    }

    /// <summary>A replica has answered what it was asked at <paramref name="asked"/>: it is reachable unless it was found unreachable since.</summary>
    public bool Trust(string id, TimeSpan asked, TimeSpan now)
    {
        lock (_lock)
        {
            if (!_entries.TryGetValue(id, out var entry) || entry.Suspected is not { } suspected || suspected > asked)
                return false;

            entry.Suspected = null;
            Publish(now);
            return true;
        }
    }

    /// <summary>Gives up overdue replicas. Returns the time until the next one may be overdue.</summary>
    public TimeSpan? Sweep(TimeSpan now)
    {
        TimeSpan? next = null;
        lock (_lock)
        {
            Publish(now);
            foreach (var entry in _entries.Values)
            {
                var left = options.Overdue - Silence(entry, now);
                if (entry.Alive && entry.Info.Id != selfId && now + left <= _lastRead + options.HeartbeatInterval && !(left >= next))
                    next = left;
            }
        }

        TellLosses();
        return next;
    }

    private void TellLosses()
    {
        while (_losses.TryDequeue(out var loss))
            onLost?.Invoke(loss.Id, loss.Reason);
    }

    // Between readings a replica ages by our clock, but for one interval only: after that a reading is missing, and it is not
    // known whether the replica has beaten since.
    private TimeSpan Silence(ReplicaEntry entry, TimeSpan now)
    {
        var until = _lastRead + options.HeartbeatInterval is { } limit && limit < now ? limit : now;
        return until - (entry.Floor > entry.LastBeat ? entry.Floor : entry.LastBeat);
    }

    private void Publish(TimeSpan now)
    {
        var changed = false;
        var arrivals = _published.Arrivals;
        List<CancellationTokenSource> lost = [];
        foreach (var entry in _entries.Values)
        {
            var alive = entry.Info.Id == selfId
                || (!entry.Left && entry.Suspected is null && Silence(entry, now) < options.Overdue);
            if (entry.Alive && !alive && entry.Lost is { } source)
            {
                lost.Add(source);
                entry.Lost = null;
                _losses.Enqueue((entry.Info.Id, entry.Left ? ReplicaLoss.Left : entry.Suspected is not null ? entry.Reason : ReplicaLoss.Overdue));
            }
            else if (alive && entry.Lost is null && entry.Info.Id != selfId)
            {
                entry.Lost = new CancellationTokenSource();
                entry.LostToken = entry.Lost.Token;
                arrivals++;
            }

            entry.Alive = alive;
        }

        var before = _published;
        var list = _entries.Values.Where(entry => entry.Alive).Select(entry => entry.Info).OrderBy(info => info.Id, StringComparer.Ordinal).ToArray();
        changed = list.Length != before.Alive.Length
            || list.Zip(before.Alive).Any(pair => pair.First.Id != pair.Second.Id || pair.First.Draining != pair.Second.Draining ||
                pair.First.Stays != pair.Second.Stays);
        _published = new Published(list, _entries.Values.Where(entry => entry.Alive).ToDictionary(entry => entry.Info.Id, StringComparer.Ordinal), arrivals);

        // After the new view is out, so that woken waiters see it. Callbacks run elsewhere: they may be thousands.
        foreach (var source in lost)
            _ = source.CancelAsync();

        if (changed)
            Interlocked.Exchange(ref _changed, NewChange()).TrySetResult();
    }

    private List<ReplicaInfo> Where(Func<ReplicaEntry, bool> predicate)
    {
        lock (_lock)
            return [.. _entries.Values.Where(entry => entry.Info.Id != selfId && predicate(entry)).Select(entry => entry.Info)];
    }

    private static TaskCompletionSource NewChange() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private sealed record Published(ReplicaInfo[] Alive, Dictionary<string, ReplicaEntry> ById, long Arrivals);
}

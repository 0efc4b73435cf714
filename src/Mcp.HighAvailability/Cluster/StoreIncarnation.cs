using Mcp.HighAvailability.Storage;

namespace Mcp.HighAvailability.Cluster;

/// <summary>The incarnation of the store, when it changed, and which replicas have written back what the store may have lost.</summary>
/// <remarks>
/// In one incarnation the store loses nothing. Another one begins when its data are gone, when it was restarted, and when another server has taken its
/// place: what was written last before that may be missing. Thread-safe.
/// </remarks>
internal sealed class StoreIncarnation(ClusterOptions options, TimeProvider time)
{
    // A replica that has not written back by then is not waited for any longer.
    private static readonly TimeSpan WriteBackLimit = TimeSpan.FromSeconds(30);

    // A silent replica that has not written back may lack processor time and still have its sessions. The others wait for it this long.
    private static readonly TimeSpan SilenceLimit = TimeSpan.FromSeconds(5);

    private readonly Lock _gate = new();

    // Replicas that were alive when this incarnation began, and of which the store has not heard since. They may have no more than a slow
    // connection to it, and sessions that no other replica has.
    private readonly Dictionary<string, ReplicaInfo> _unheard = new(StringComparer.Ordinal);

    // Replicas that are not known to have written back in this incarnation.
    private readonly HashSet<string> _behind = new(StringComparer.Ordinal);

    // Replicas that count as lost because they are silent, and when each fell silent.
    private readonly Dictionary<string, long> _silent = new(StringComparer.Ordinal);
    private TaskCompletionSource _changed = NewChange();
    private TimeSpan _age;
    private long _readAt;
    private int _seen;
    private int _doubts;
    private bool _isRead;

    /// <summary>The incarnation as of the last reading; <see langword="null"/> before the first one, and where nothing can be lost.</summary>
    public string? Id { get; private set; }

    /// <summary>How often owners had a reason to check their sessions: another incarnation, or a time in which they may have missed a take-over.</summary>
    public int Doubts => Volatile.Read(ref _doubts);

    /// <summary>Completes when <see cref="Doubts"/> next changes. Take it before looking.</summary>
    public Task Changed => Volatile.Read(ref _changed).Task;

    /// <summary>Replicas that the store has not heard of since this incarnation began.</summary>
    public IReadOnlyList<ReplicaInfo> Unheard
    {
        get
        {
            lock (_gate)
                return [.. _unheard.Values];
        }
    }

    /// <summary>Notes a reading of the registry.</summary>
    /// <param name="reading">The reading.</param>
    /// <param name="others">Replicas that were alive before it, without this process's own.</param>
    /// <returns>Whether another incarnation has begun since the last reading. The first one that is seen is no other.</returns>
    public bool Read(RegistryReading reading, IEnumerable<ReplicaInfo> others)
    {
        bool changed, another;
        lock (_gate)
        {
            changed = reading.Incarnation != Id;
            (Id, _age, _readAt, _isRead) = (reading.Incarnation, reading.IncarnationAge, time.GetTimestamp(), true);
            another = changed && ++_seen > 1;
            var alive = others.ToList();
            alive.ForEach(replica => _silent.Remove(replica.Id));
            if (another)
            {
                _behind.Clear();
                _behind.UnionWith(_silent.Keys);
                foreach (var replica in alive.Where(static replica => !replica.Draining || replica.Stays))
                {
                    _unheard[replica.Id] = replica;
                    _behind.Add(replica.Id);
                }
            }

            foreach (var (replica, age) in reading)
            {
                if (age < options.Overdue)
                    _unheard.Remove(replica.Id);
                if (replica.WrittenBack != Id)
                    _behind.Add(replica.Id);
                else
                    _behind.Remove(replica.Id);
            }

            // A replica that the registry no longer lists is not probed again, so its silence need not be kept.
            foreach (var id in _silent.Keys.Where(id => !IsRecent(id) && reading.All(listed => listed.Replica.Id != id)).ToList())
                _silent.Remove(id);
        }

        if (changed)
            Doubt();
        return another;
    }

    /// <summary>A replica is lost. Its sessions are no longer waited for. If it is silent, they are for a little longer.</summary>
    public void Forget(string replicaId, ReplicaLoss reason)
    {
        lock (_gate)
        {
            // A heartbeat is overdue also if the store has lost it and the replica cannot reach the store yet.
            if (reason is not ReplicaLoss.Overdue)
                _unheard.Remove(replicaId);
            if (reason is ReplicaLoss.Refused or ReplicaLoss.Left)
            {
                _behind.Remove(replicaId);
                _silent.Remove(replicaId);
            }
            else
            {
                _silent.TryAdd(replicaId, time.GetTimestamp());
            }
        }
    }

    /// <summary>Owners have to check their sessions.</summary>
    public void Doubt()
    {
        Interlocked.Increment(ref _doubts);
        Interlocked.Exchange(ref _changed, NewChange()).TrySetResult();
    }

    /// <summary>Whether all replicas have written back: a session that the store does not know then does not exist.</summary>
    /// <param name="arrivals">See <see cref="ReplicaView.Arrivals"/>; read before the others.</param>
    /// <param name="others">The other replicas that are alive.</param>
    public WrittenBack WrittenBackBy(long arrivals, IEnumerable<ReplicaInfo> others)
    {
        lock (_gate)
        {
            if (!_isRead)
                return default;

            // In the first incarnation that it sees a process may not know all other replicas yet.
            var age = _age + time.GetElapsedTime(_readAt);
            var isComplete = _seen > 1 || age > options.Overdue + options.HeartbeatInterval;
            var byAll = Id is null || age > WriteBackLimit || isComplete && others.Concat(_unheard.Values).All(replica => replica.WrittenBack == Id) &&
                !_silent.Keys.Any(id => _behind.Contains(id) && IsRecent(id));
            return new(byAll, Id, arrivals);
        }
    }

    private bool IsRecent(string silent) => time.GetElapsedTime(_silent[silent]) < SilenceLimit;

    private static TaskCompletionSource NewChange() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}

/// <summary>Whether all replicas have written their sessions back, as of the last reading of the registry.</summary>
/// <param name="ByAll">They have, or nothing can be lost.</param>
/// <param name="Incarnation">The store's incarnation; <see langword="null"/> where nothing can be lost.</param>
/// <param name="Arrivals">How often a replica has come, or come back: one that comes later was not asked, and may not have written back.</param>
internal readonly record struct WrittenBack(bool ByAll, string? Incarnation, long Arrivals);

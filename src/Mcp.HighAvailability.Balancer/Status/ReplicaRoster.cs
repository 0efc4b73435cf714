using Mcp.HighAvailability.Cluster;
using Mcp.HighAvailability.Storage;

namespace Mcp.HighAvailability.Balancer.Status;

/// <summary>Knows when each replica joined, and which lost replicas have not been replaced. Thread-safe.</summary>
/// <remarks>
/// A loss stays until another replica joins, until the lost one is back, or for <see cref="MissedFor"/>: longer than the directory knows the replica. One
/// that joins replaces one loss. A replica that was shutting down is no loss.
/// </remarks>
internal sealed class ReplicaRoster(ReplicaDirectory directory, TimeProvider time)
{
    /// <summary>How long a loss stays when no other replica joins: a cluster may be meant to be smaller from then on.</summary>
    public static readonly TimeSpan MissedFor = TimeSpan.FromHours(1);

    private const int MaxMissed = 1_000;

    // Heartbeats are read with a delay.
    private static readonly TimeSpan Slack = TimeSpan.FromSeconds(1);

    private readonly DateTimeOffset _started = time.GetUtcNow();
    private readonly Lock _gate = new();
    private readonly Dictionary<string, Member> _members = new(StringComparer.Ordinal);

    private enum Standing
    {
        Alive,
        Missed,
        Gone, // left, or was replaced
    }

    /// <summary>When a replica joined. A replica that was there before this balancer joined when it started.</summary>
    public DateTimeOffset JoinedAt(ReplicaInfo replica)
    {
        lock (_gate)
            return Enter(replica, time.GetUtcNow()).Joined;
    }

    /// <summary>Compares the directory with what was known; answers how many lost replicas have not been replaced.</summary>
    public int CountUnreplaced()
    {
        lock (_gate)
        {
            var now = time.GetUtcNow();
            var known = directory.Known();
            foreach (var (replica, age) in known)
            {
                var member = Enter(replica, now - age);
                if (directory.Find(replica.Id) is not null)
                    (member.Info, member.LastHeard, member.Standing) = (replica, now - age, Standing.Alive);
                else if (member.Standing == Standing.Alive)
                    member.Lose(now - age);
            }

            Forget(known.Select(entry => entry.Replica.Id).ToHashSet(StringComparer.Ordinal), now);
            Replace();
            return _members.Values.Count(member => member.Standing == Standing.Missed);
        }
    }

    private Member Enter(ReplicaInfo replica, DateTimeOffset heard)
    {
        if (!_members.TryGetValue(replica.Id, out var member))
            _members.Add(replica.Id, member = new(replica, replica.Started < _started ? replica.Started : time.GetUtcNow()) { LastHeard = heard });
        return member;
    }

    private void Forget(HashSet<string> known, DateTimeOffset now)
    {
        foreach (var (id, member) in _members)
        {
            if (member.Standing == Standing.Alive && !known.Contains(id))
                member.Lose(member.LastHeard);
            if (member.Standing == Standing.Missed && now - member.LastHeard > MissedFor)
                member.Standing = Standing.Gone;
        }

        foreach (var oldest in Missed().SkipLast(MaxMissed))
            oldest.Standing = Standing.Gone;
        foreach (var id in _members.Where(pair => pair.Value.Standing == Standing.Gone && !known.Contains(pair.Key)).Select(pair => pair.Key).ToList())
            _members.Remove(id);
    }

    // The first one that joined after a loss replaces it, also before the loss is noticed.
    private void Replace()
    {
        var joined = new Queue<Member>(
            _members.Values.Where(member => member is { Standing: Standing.Alive, Replaces: false }).OrderBy(member => member.Joined));
        foreach (var lost in Missed())
        {
            while (joined.TryPeek(out var early) && early.Joined <= lost.LastHeard - Slack)
                joined.Dequeue();
            if (!joined.TryDequeue(out var replacement))
                return;
            (replacement.Replaces, lost.Standing) = (true, Standing.Gone);
        }
    }

    private List<Member> Missed() =>
        [.. _members.Values.Where(member => member.Standing == Standing.Missed).OrderBy(member => member.LastHeard)];

    private sealed class Member(ReplicaInfo info, DateTimeOffset joined)
    {
        public ReplicaInfo Info { get; set; } = info;

        public DateTimeOffset Joined => joined;

        public DateTimeOffset LastHeard { get; set; }

        public Standing Standing { get; set; }

        /// <summary>It has taken the place of a lost one.</summary>
        public bool Replaces { get; set; }

        public void Lose(DateTimeOffset lastHeard) =>
            (LastHeard, Standing) = (lastHeard, Info is { Draining: true, Stays: false } ? Standing.Gone : Standing.Missed);
    }
}

using System.Text.Json.Serialization;
using Mcp.HighAvailability.Storage;

namespace Mcp.HighAvailability.Balancer.Status;

/// <summary>What the cluster page shows, and its JSON says.</summary>
internal sealed record Status(
    DateTimeOffset Time, BalancerStatus Balancer, StatusTotals Totals, TrafficStatus Traffic, ErrorStatus Errors, RedisStatus Redis,
    IReadOnlyList<ReplicaStatus> Replicas, HistoryStatus History, IReadOnlyList<TimelineEntry> Timeline);

/// <summary>The balancer whose view this is.</summary>
/// <param name="Instance">Its name, as that of a replica.</param>
/// <param name="ProcessId">Operating system process id.</param>
/// <param name="Started">When it started; it knows nothing of what happened before.</param>
internal sealed record BalancerStatus(string Instance, int ProcessId, DateTimeOffset Started);

/// <summary>Sums over the cluster, and of this balancer what it relayed, holds and resumed.</summary>
/// <param name="Replicas">Replicas in the directory, lost ones included.</param>
/// <param name="Alive">Replicas that are alive.</param>
/// <param name="Serving">Replicas that take sessions.</param>
/// <param name="Unreplaced">Lost replicas for which no other one has joined, see <see cref="ReplicaRoster"/>.</param>
/// <param name="Sessions">Sessions that have a record in the store.</param>
/// <param name="Waiting">Those of them that no live replica owns: the next request of their client moves them.</param>
/// <param name="Calls">Calls in progress in all replicas.</param>
/// <param name="Relayed">Requests that this balancer has relayed.</param>
/// <param name="HeldBytes">Body bytes of the requests that it holds.</param>
/// <param name="Held">Requests that it holds while no replica can serve them.</param>
/// <param name="Failovers">Requests that it resumed at another replica.</param>
internal sealed record StatusTotals(
    int Replicas, int Alive, int Serving, int Unreplaced, long Sessions, long Waiting, int Calls, long Relayed, long HeldBytes, int Held, long Failovers);

/// <summary>Errors of the last hour, since this balancer started at most.</summary>
/// <param name="MayHaveRun">Calls that ended with "may have run", in all replicas and at this balancer.</param>
/// <param name="TooManyRequests">Responses of this balancer with status 429.</param>
/// <param name="ServerErrors">Responses of this balancer with status 500 or more, without those that say "may have run".</param>
/// <param name="FencedWrites">Writes that the store refused, in all replicas.</param>
/// <param name="UnjournaledEvents">Notifications dropped while the store was away, in all replicas.</param>
internal sealed record ErrorStatus(long MayHaveRun, long TooManyRequests, long ServerErrors, long FencedWrites, long UnjournaledEvents);

/// <summary>The last hour, minute by minute, oldest first; the last minute has not ended.</summary>
/// <param name="Calls">Requests that this balancer relayed.</param>
/// <param name="Errors">Calls that ended with "may have run", and responses with status 429, 500 or more.</param>
internal sealed record HistoryStatus(IReadOnlyList<long> Calls, IReadOnlyList<long> Errors);

/// <summary>Calls that this balancer relayed; see <see cref="CallFigures"/>.</summary>
internal sealed record TrafficStatus(double CallsPerSecond, long CallsInLastMinute, double P50Ms, double P99Ms);

/// <summary>The store that holds the replica directory.</summary>
/// <param name="Reachable">It could be read last time.</param>
/// <param name="AwaySince">Since when it could not.</param>
/// <param name="ReadMs">How long the last reading of the directory took.</param>
/// <param name="MemoryUsed">Bytes of memory that it uses, if it says so.</param>
/// <param name="MemoryLimit">Bytes of memory that it may use, if there is a limit.</param>
internal sealed record RedisStatus(bool Reachable, DateTimeOffset? AwaySince, double ReadMs, long? MemoryUsed, long? MemoryLimit);

/// <summary>A replica, as its last heartbeat says.</summary>
/// <param name="Id">Its id, new at every start.</param>
/// <param name="Instance">The name that its platform gave it.</param>
/// <param name="Address">Where peers and balancers reach it.</param>
/// <param name="ProcessId">Operating system process id.</param>
/// <param name="State">One of <see cref="ReplicaStates"/>.</param>
/// <param name="Stays">It drains because an operator asked, and can be resumed.</param>
/// <param name="Sessions">Sessions that it owns; of a lost replica 0.</param>
/// <param name="Calls">Calls in progress; of a lost replica 0.</param>
/// <param name="Started">When its process started.</param>
/// <param name="Version">Version of the server program.</param>
/// <param name="HeartbeatAgeMs">Time since its last heartbeat.</param>
internal sealed record ReplicaStatus(
    string Id, string Instance, string Address, int ProcessId, string State, bool Stays, int Sessions, int Calls, DateTimeOffset Started, string Version,
        long HeartbeatAgeMs)
{
    [JsonIgnore]
    public bool IsLost => State == ReplicaStates.Lost;
}

internal static class ReplicaStates
{
    public const string Alive = "alive";
    public const string Draining = "draining";
    public const string Lost = "lost";

    public static string Of(ReplicaInfo replica, bool isAlive) => !isAlive ? Lost : replica.Draining ? Draining : Alive;
}

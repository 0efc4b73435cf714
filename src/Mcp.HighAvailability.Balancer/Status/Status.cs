using System.Text.Json.Serialization;
using Mcp.HighAvailability.Storage;

namespace Mcp.HighAvailability.Balancer.Status;

/// <summary>Content of the live page and of its JSON.</summary>
internal sealed record Status(
    DateTimeOffset Time, BalancerStatus Balancer, StatusTotals Totals, TrafficStatus Traffic, RedisStatus Redis, IReadOnlyList<ReplicaStatus> Replicas,
    IReadOnlyList<TimelineEntry> Timeline);

/// <summary>The balancer that tells all this.</summary>
/// <param name="Instance">Its name, as that of a replica.</param>
/// <param name="ProcessId">Operating system process id.</param>
/// <param name="Started">When it started; it knows nothing of what happened before.</param>
internal sealed record BalancerStatus(string Instance, int ProcessId, DateTimeOffset Started);

/// <summary>Sums over all replicas, and of this balancer what it relayed, holds and saw go on.</summary>
internal sealed record StatusTotals(int Replicas, int Alive, int Serving, int Sessions, int Calls, long Relayed, long HeldBytes, int Held, long Failovers);

/// <summary>Calls that this balancer relayed; see <see cref="CallFigures"/>.</summary>
internal sealed record TrafficStatus(double CallsPerSecond, long CallsInLastMinute, double P50Ms, double P99Ms);

/// <summary>The store that holds the replica directory.</summary>
/// <param name="Reachable">It could be read last time.</param>
/// <param name="AwaySince">Since when it could not.</param>
/// <param name="ReadMs">How long the last reading of the directory took.</param>
internal sealed record RedisStatus(bool Reachable, DateTimeOffset? AwaySince, double ReadMs);

/// <summary>A replica, as its last heartbeat says.</summary>
/// <param name="Id">Its id, new at every start.</param>
/// <param name="Instance">Name given by the platform that started it.</param>
/// <param name="Address">Where peers and balancers reach it.</param>
/// <param name="ProcessId">Operating system process id.</param>
/// <param name="State">One of <see cref="ReplicaStates"/>.</param>
/// <param name="Stays">It drains because an operator asked, and can be resumed.</param>
/// <param name="Sessions">Sessions that it owns.</param>
/// <param name="Calls">Calls that it has in work.</param>
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

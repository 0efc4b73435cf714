using Mcp.HighAvailability.Storage;

namespace Mcp.HighAvailability.Cluster;

/// <summary>A replica that is alive and watched.</summary>
/// <param name="Info">The replica.</param>
/// <param name="LastReceived">When bytes arrived from it last, see <see cref="ReplicaUse.LastReceived"/>.</param>
/// <param name="BeatMissed">A recent reading shows that its heartbeat is missing.</param>
/// <param name="BeatDue">Its heartbeat may be missing; a reading would tell.</param>
internal readonly record struct WatchedReplica(ReplicaInfo Info, long LastReceived, bool BeatMissed, bool BeatDue);

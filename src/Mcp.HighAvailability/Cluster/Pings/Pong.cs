namespace Mcp.HighAvailability.Cluster;

/// <summary>The last answer of a replica to pings of this process.</summary>
/// <param name="Count">How many answers there were.</param>
/// <param name="Starved">Its thread pool is late, so that its answers by HTTP and its heartbeats are late as well.</param>
/// <param name="StoreAway">It cannot reach the store.</param>
internal readonly record struct Pong(int Count, bool Starved = false, bool StoreAway = false);

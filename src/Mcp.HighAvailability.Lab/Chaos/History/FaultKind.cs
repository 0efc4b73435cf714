namespace Mcp.HighAvailability.Lab.Chaos.History;

/// <summary>Kinds of faults.</summary>
internal enum FaultKind
{
    /// <summary><c>kill -9</c> of a replica.</summary>
    Kill,

    /// <summary>SIGTERM to a replica, as in a rolling deploy.</summary>
    Term,

    /// <summary>SIGSTOP past the heartbeat, then SIGCONT.</summary>
    Pause,

    /// <summary>Redis stops and comes back with its data.</summary>
    RedisRestart,

    /// <summary>Redis loses its data.</summary>
    RedisWipe,

    /// <summary>Redis is away for a while.</summary>
    RedisOutage,

    /// <summary>A replica is cut off from Redis, or from its peers.</summary>
    Cut,

    /// <summary>A balancer dies.</summary>
    Balancer,
}

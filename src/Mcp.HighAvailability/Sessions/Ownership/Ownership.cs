using Mcp.HighAvailability.Storage;

namespace Mcp.HighAvailability.Sessions;

/// <summary>Where a session is served.</summary>
internal abstract record Ownership
{
    private Ownership() { }

    /// <summary>Here.</summary>
    public sealed record Local(LiveSession Session) : Ownership;

    /// <summary>By a peer that counts as alive.</summary>
    public sealed record Peer(ReplicaInfo Replica) : Ownership;

    /// <summary>Nowhere: unknown, expired or ended.</summary>
    public sealed record None : Ownership;

    /// <summary>The store holds something that is no session.</summary>
    /// <param name="Reason">For the client and the log.</param>
    public sealed record Damaged(string Reason) : Ownership;

    /// <summary>The owner cannot be determined now; a later attempt may succeed.</summary>
    /// <param name="Reason">For the client and the log.</param>
    public sealed record Undecided(string Reason) : Ownership;
}

namespace Mcp.HighAvailability.Cluster;

/// <summary>Result of a direct probe (<see cref="PeerProbe"/>).</summary>
public abstract record ProbeAnswer
{
    private ProbeAnswer()
    {
    }

    /// <summary>The replica answered.</summary>
    /// <param name="ReplicaId">Its id, which is the one that was asked for.</param>
    /// <param name="Draining">It is shutting down.</param>
    /// <param name="StoreAway">It cannot reach the registry, and so hardly the store. At most some seconds old.</param>
    public sealed record Answered(string ReplicaId, bool Draining, bool StoreAway) : ProbeAnswer;

    /// <summary>
    /// Nothing is known: something other than a replica of this version answers at its address (a proxy that passes only some paths on), or this
    /// process could not ask.
    /// </summary>
    public sealed record Unclear : ProbeAnswer;

    /// <summary>The replica cannot be reached, did not answer in time, or another program answers at its address.</summary>
    /// <param name="Refused">Certain: no process listens there, or another replica does.</param>
    public sealed record Unreachable(bool Refused) : ProbeAnswer;
}

namespace Mcp.HighAvailability.Cluster;

/// <summary>Why a process takes a replica for lost.</summary>
internal enum ReplicaLoss
{
    /// <summary>The replica left the registry in good order.</summary>
    Left,

    /// <summary>The replica refused a connection, or another program answers at its address.</summary>
    Refused,

    /// <summary>The heartbeat is missing in the registry, and the replica did not answer a probe.</summary>
    Silent,

    /// <summary>Heartbeats arrive in the registry, but the replica answered no probe of this process for long.</summary>
    Unreachable,

    /// <summary>The heartbeat is overdue (<see cref="ClusterOptions.Overdue"/>).</summary>
    Overdue,
}

/// <summary>Reasons in words, for the log.</summary>
internal static class ReplicaLossText
{
    public static string Of(ReplicaLoss loss) => loss switch
    {
        ReplicaLoss.Refused => "connection refused",
        ReplicaLoss.Silent => "heartbeat missing and probe unanswered",
        ReplicaLoss.Unreachable => "probes unanswered, although its heartbeats arrive",
        _ => "heartbeat overdue",
    };
}

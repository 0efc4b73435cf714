using Mcp.HighAvailability.Storage;

namespace Mcp.HighAvailability.Cluster;

/// <summary>What a <see cref="ReplicaView"/> knows of one replica. Times are readings of the local clock. Plain data, guarded by the view.</summary>
internal sealed class ReplicaEntry(ReplicaInfo info)
{
    public ReplicaInfo Info { get; set; } = info;

    public TimeSpan LastBeat { get; set; }

    /// <summary>Age of the heartbeat when the registry was read last.</summary>
    public TimeSpan AgeRead { get; set; }

    /// <summary>Silence counts from here at the earliest.</summary>
    public TimeSpan Floor { get; set; } = TimeSpan.MinValue;

    /// <summary>The reading that had it last.</summary>
    public TimeSpan LastListed { get; set; }

    /// <summary>Since when the replica is taken for lost; <see langword="null"/>: it is not.</summary>
    public TimeSpan? Suspected { get; set; }

    /// <summary>Reason for the suspicion.</summary>
    public ReplicaLoss Reason { get; set; }

    /// <summary>A heartbeat has arrived since the suspicion.</summary>
    public bool HasBeaten { get; set; }

    /// <summary>Exchanges of this process with it.</summary>
    public ReplicaUse Use { get; } = new();

    /// <summary>A connection to it took too long; written on any thread.</summary>
    public volatile bool Doubted;

    /// <summary>The replica has left in good order.</summary>
    public bool Left { get; set; }

    public bool Alive { get; set; }

    /// <summary>Ends when it is lost; <see langword="null"/> while it is.</summary>
    public CancellationTokenSource? Lost { get; set; }

    public CancellationToken LostToken { get; set; }
}

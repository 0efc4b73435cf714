namespace Mcp.HighAvailability.Storage;

/// <summary>Data that a replica publishes about itself.</summary>
/// <param name="Id">Unique per process start; characters <c>[A-Za-z0-9-]</c>.</param>
/// <param name="Address">Base address at which its peers and the balancers reach it.</param>
/// <param name="Draining">It hands its sessions over and takes no new ones: it is shutting down, or an operator asked (<see cref="Stays"/>).</param>
/// <param name="Sessions">Sessions that it owns.</param>
/// <param name="Calls">Client requests that it is working on.</param>
/// <param name="Started">When the process started (UTC).</param>
/// <param name="Version">Version of the server program.</param>
/// <param name="ProcessId">Operating system process id.</param>
public sealed record ReplicaInfo(
    string Id,
    Uri Address,
    bool Draining,
    int Sessions,
    int Calls,
    DateTimeOffset Started,
    string Version,
    int ProcessId)
{
    /// <summary>The incarnation of the store in which it has last written back its sessions; see <see cref="RegistryReading.Incarnation"/>.</summary>
    public string WrittenBack { get; init; } = "";

    /// <summary>
    /// Names of the tools whose calls may be run again when their replica was lost, one per line. Balancers go by it for calls without a session.
    /// </summary>
    public string Rerun { get; init; } = "";

    /// <summary>The replica drains because an operator asked, stays up, and can be told to take sessions again.</summary>
    public bool Stays { get; init; }

    /// <summary>The application that it belongs to, see <see cref="HighAvailabilityOptions.Application"/>; empty when it does not say.</summary>
    public string Application { get; init; } = "";

    /// <summary>
    /// Name given by the platform that started the process: <c>service.instance.id</c> of <c>OTEL_RESOURCE_ATTRIBUTES</c>, otherwise machine name and
    /// process id. Need not be unique over time, nor over several clusters.
    /// </summary>
    public string Instance { get; init; } = "";

    /// <summary>
    /// A secret of the process, new at every start: relays that read the registry send it with each request to this replica. Empty: it has none. Never shown.
    /// </summary>
    public string HopKey { get; init; } = "";

    /// <summary>What went wrong in it since it started; <see langword="null"/>: nothing.</summary>
    public ReplicaFaults? Faults { get; init; }

    /// <summary>UDP port at which it answers pings, which tell a starved process from a lost one. Zero: it does not.</summary>
    public int PingPort { get; init; }

    /// <summary>The replica accepts HTTP/2 without TLS at its address, so that the streams of a relay can share connections.</summary>
    public bool Http2 { get; init; }
}

/// <summary>A replica as the registry holds it.</summary>
/// <param name="Replica">Its last heartbeat.</param>
/// <param name="Age">Time since that heartbeat, by the backend's clock.</param>
public sealed record RegisteredReplica(ReplicaInfo Replica, TimeSpan Age);

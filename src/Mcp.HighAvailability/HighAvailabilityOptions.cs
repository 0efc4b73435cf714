namespace Mcp.HighAvailability;

/// <summary>Settings of a highly available MCP server. Bound from the configuration section <c>HighAvailability</c>.</summary>
public sealed class HighAvailabilityOptions
{
    /// <summary>Name of the configuration section.</summary>
    public const string SectionName = "HighAvailability";

    /// <summary>
    /// Id of this replica: characters <c>[A-Za-z0-9-]</c>, at most 64, different at every process start. Default: generated.
    /// </summary>
    public string? ReplicaId { get; set; }

    /// <summary>
    /// Name of the application: characters <c>[A-Za-z0-9._-]</c>, at most 64, case does not count. Its servers and balancers must agree on it; they refuse
    /// replicas of another one. Default: the program's name without <c>Server</c> or <c>Balancer</c> at its end.
    /// </summary>
    public string? Application { get; set; }

    /// <summary>
    /// Address at which peers and balancers reach this replica, e.g. <c>http://10.0.0.7:8080</c>. Default: what the server is bound to.
    /// </summary>
    public Uri? AdvertisedAddress { get; set; }

    /// <summary>
    /// Host names by which clients reach this server, separated by semicolons; <c>*.example.com</c> for all below, <c>*</c> for any. IP addresses,
    /// loopback names, names without a dot, <see cref="AdvertisedAddress"/> and what ASP.NET Core's <c>AllowedHosts</c> lists are always allowed; any
    /// other <c>Host</c> is answered with 403 (DNS rebinding). Default: no others.
    /// </summary>
    public string AllowedHosts { get; set; } = "";

    /// <summary>
    /// Origins of browser clients, such as <c>https://app.example.com</c>, separated by semicolons; <c>*</c> for any. They get CORS. Requests of pages of
    /// any other origin are answered with 403, except of this machine's and of the host that is asked. Default: none.
    /// </summary>
    public string AllowedOrigins { get; set; } = "";

    /// <summary>Which clients get a session. Default: <see cref="SessionMode.Hybrid"/>.</summary>
    public SessionMode SessionMode { get; set; } = SessionMode.Hybrid;

    /// <summary>
    /// Whether clients of HTTP+SSE, the transport of revision 2024-11-05, are served too: <c>GET /sse</c> and <c>POST /message</c>, and the same below the path
    /// that the server is mapped to (<c>/mcp/sse</c>, <c>/mcp/message</c>). Their session ends when its stream had no reader for
    /// <see cref="HoldTime"/>. Default: no.
    /// </summary>
    public bool EnableLegacySse { get; set; }

    /// <summary>Whether a message may reach the client before it is journaled. Default: <see cref="Durability.Durable"/>.</summary>
    public Durability Durability { get; set; } = Durability.Durable;

    /// <summary>
    /// How long a request waits for a store that does not answer. A call that has not run is then refused and may be sent again; one that has run ends with
    /// the error "may have run", counted in the metric <c>mcp.ha.calls.overdue</c>. Calls that need no write go on. Default: 5 s.
    /// </summary>
    public TimeSpan DurableTimeout { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>
    /// Journal entries of a session that may wait for a store that is away. Beyond it the oldest progress and log notifications are dropped, then
    /// other notifications, counted in the metric <c>mcp.ha.events.given_up</c>. Answers and requests to the client are never dropped: when they
    /// alone reach the bound, new calls are answered with 503 and have not run. Default: 1,000.
    /// </summary>
    public int PendingEntries { get; set; } = 1_000;

    /// <summary>Largest request body in bytes. Default: 4 MiB.</summary>
    public int MaxRequestBodySize { get; set; } = 4 * 1024 * 1024;

    /// <summary>How long calls in flight may take to finish when the replica is told to stop. Default: 30 s.</summary>
    public TimeSpan DrainTimeout { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// How often a comment is sent on an open response: on every stream, and on a call that is silent. The first comment sends the headers of the response.
    /// Servers and balancers read the same setting. Some clients and proxies give up after 10 s of silence. Default: 5 s.
    /// </summary>
    public TimeSpan KeepAlive { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>
    /// Most answered calls of a session that are remembered, to answer a repeated POST (header <c>Mcp-Ha-Exchange</c>) without running it again. One is
    /// forgotten 30 seconds after <see cref="HoldTime"/> at the latest. Default: 1,000.
    /// </summary>
    public int RememberedCalls { get; set; } = 1_000;

    /// <summary>
    /// A call that may run again runs again when its server is lost, until so many servers were lost with it. Then it ends with an error and never runs
    /// again: it may be what ends them. A hand-over is no loss. Default: 2.
    /// </summary>
    public int MaxReplicaLosses { get; set; } = 2;

    /// <summary>How long a client of revision 2026-07-28 may take to send a <c>requestState</c> back. Default: 1 hour.</summary>
    public TimeSpan RequestStateLifetime { get; set; } = TimeSpan.FromHours(1);

    /// <summary>
    /// Whether clients of the session era that send no <c>Mcp-Session-Id</c> are served without a session, as clients of 2026-07-28 are. Applies to
    /// <see cref="SessionMode.Hybrid"/>. Default: yes.
    /// </summary>
    public bool SessionlessRequests { get; set; } = true;

    /// <summary>
    /// Take-overs of sessions of lost replicas that run at once in this replica. Those that a call waits for come first, streams after them.
    /// Default: four times the processors, between 8 and 64.
    /// </summary>
    public int? MaxTakeOvers { get; set; }

    /// <summary>How long a request is held while the session's owner or the store cannot be reached. Default: 30 s.</summary>
    public TimeSpan HoldTime { get; set; } = TimeSpan.FromSeconds(30);
}

/// <summary>Which clients get a session.</summary>
public enum SessionMode
{
    /// <summary>Clients that initialise get a session, clients of the stateless revision (2026-07-28) are served without one.</summary>
    Hybrid,

    /// <summary>Only sessions: 2026-07-28 is refused with -32022, so that clients that can do both fall back to a session.</summary>
    Stateful,

    /// <summary>No sessions: every request stands for itself.</summary>
    Stateless,
}

/// <summary>When a message may be sent to the client.</summary>
public enum Durability
{
    /// <summary>After the journal has it: nothing that a client saw can be unknown to the next owner.</summary>
    Durable,

    /// <summary>At once, the journal follows: faster, and a crash may leave a gap.</summary>
    Fast,
}

using Mcp.HighAvailability.Broadcast;
using Mcp.HighAvailability.Cluster;
using Mcp.HighAvailability.Diagnostics;
using Mcp.HighAvailability.Storage;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using ModelContextProtocol.Server;

namespace Mcp.HighAvailability.Sessions;

/// <summary>Services shared by all sessions of a replica.</summary>
internal sealed class SessionRuntime(
    ISelfReplica self,
    ISessionStore store,
    ISessionJournal journal,
    CommitContext commits,
    LazyFlusher lazyFlusher,
    BroadcastFollower broadcasts,
    SessionMetrics metrics,
    IOptions<HighAvailabilityOptions> options,
    IOptions<McpServerOptions> serverOptions,
    ILoggerFactory loggerFactory,
    IServiceProvider services,
    TimeProvider time,
    SessionHooks? hooks = null)
{
    public string ReplicaId => self.Id;

    public ISessionStore Store => store;

    public ISessionJournal Journal => journal;

    public CommitContext Commits => commits;

    public LazyFlusher LazyFlusher => lazyFlusher;

    /// <summary>The broadcast log as this replica follows it.</summary>
    public BroadcastFollower Broadcasts => broadcasts;

    public SessionMetrics Metrics => metrics;

    /// <summary>Client requests in progress in all sessions.</summary>
    public CallCounter Calls { get; } = new();

    public HighAvailabilityOptions Options { get; } = options.Value;

    /// <summary>Options of all sessions that have none of their own.</summary>
    public McpServerOptions ServerOptions => serverOptions.Value;

    /// <summary>The application's callbacks for sessions; <see langword="null"/> if it has none.</summary>
    public SessionHooks? Hooks { get; } = hooks?.Any == true ? hooks : null;

    public ILogger Logger { get; } = loggerFactory.CreateLogger<LiveSession>();

    public TimeProvider Time => time;

    public bool Durable { get; } = options.Value.Durability == Durability.Durable;

    public McpServer CreateServer(SessionTransport transport, McpServerOptions options) =>
        McpServer.Create(transport, options, loggerFactory, services);
}

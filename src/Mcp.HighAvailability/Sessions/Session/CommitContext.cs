using Mcp.HighAvailability.Diagnostics;
using Mcp.HighAvailability.Storage;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Mcp.HighAvailability.Sessions;

/// <summary>State shared by the commits of all sessions of a process.</summary>
internal sealed class CommitContext(
    ISessionStore store,
    IEventBus bus,
    TimeProvider time,
    SessionMetrics metrics,
    IOptions<HighAvailabilityOptions> options,
    IOptions<SessionStoreOptions> storeOptions,
    ILogger<CommitWriter> logger)
{
    public ISessionStore Store => store;

    public IEventBus Bus => bus;

    public TimeProvider Time => time;

    public SessionMetrics Metrics => metrics;

    public ILogger Logger => logger;

    public CommitLog Log { get; } = new(time, logger);

    public Durability Durability { get; } = options.Value.Durability;

    public TimeSpan DurableTimeout { get; } = options.Value.DurableTimeout;

    public int PendingEntries { get; } = options.Value.PendingEntries;

    /// <summary>The bound of a journal is also the bound of entries that wait for it.</summary>
    public long PendingBytes { get; } = storeOptions.Value.JournalBytes;

    /// <summary>The store's expiry is renewed at most this often, and never because of time alone.</summary>
    public TimeSpan TouchEvery { get; } = storeOptions.Value.IdleTimeout / 4;
}

using System.Diagnostics.Metrics;
using McpHa.HighAvailability.Cluster;
using McpHa.HighAvailability.Diagnostics;
using McpHa.HighAvailability.Http;
using McpHa.HighAvailability.Journal;
using McpHa.HighAvailability.Relay;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using ModelContextProtocol.Server;
using PeerRelay = McpHa.HighAvailability.Relay.Relay;

namespace McpHa.HighAvailability.Sessions;

/// <summary>Takes a make-believe session over when the process starts.</summary>
/// <remarks>
/// The first take-over of a process would otherwise pay for compiling all of the code that it runs, at the moment when clients
/// wait. The session lives in a store of its own in memory, no tool runs, and nothing of it is counted or seen.
/// </remarks>
internal sealed partial class Rehearsal(
    ISessionStore store,
    SelfReplica self,
    PeerRelay relay,
    IOptions<HighAvailabilityOptions> options,
    IOptions<SessionStoreOptions> storeOptions,
    IOptions<McpServerOptions> serverOptions,
    IServiceProvider services,
    TimeProvider time,
    ILogger<Rehearsal> logger) : IHostedLifecycleService
{
    private const string SessionId = "rehearsal";
    private const string Stream = "c1x1";
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);
    private static int _rehearsed;

    public async Task StartingAsync(CancellationToken cancellationToken)
    {
        if (Interlocked.Exchange(ref _rehearsed, 1) == 1)
            return;
        try
        {
            await TakeOverAsync(cancellationToken).WaitAsync(Patience, time, cancellationToken).ConfigureAwait(false);
            await AskStoreAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            LogFailed(e);
        }
    }

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    // The way in and out: a request to ourselves, for a session that nobody has.
    public async Task StartedAsync(CancellationToken cancellationToken)
    {
        if (self.Describe() is not { } here)
            return;
        try
        {
            using var request = new HttpRequestMessage(HttpMethod.Delete, new Uri(here.Address, self.EndpointPath));
            request.Headers.Add(HaHeaders.Hop, self.Id);
            request.Headers.Add(McpHeaders.SessionId, SessionId);
            using var response = await relay.Invoker.SendAsync(request, cancellationToken).ConfigureAwait(false);
        }
        catch (HttpRequestException e)
        {
            LogFailed(e);
        }
    }

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private async Task TakeOverAsync(CancellationToken cancellationToken)
    {
        using var meter = new Meter("rehearsal");
        using var flusher = new LazyFlusher(time);
        var metrics = new SessionMetrics(meter);
        var sessions = new InMemorySessions(time, storeOptions);
        var memory = new InMemorySessionStore(sessions);
        var commits = new CommitContext(memory, time, metrics, options, storeOptions, NullLogger<CommitQueue>.Instance);
        var runtime = new SessionRuntime(
            self, memory, new InMemorySessionJournal(sessions), commits, flusher, metrics, options, serverOptions, NullLoggerFactory.Instance, services, time);

        var call = new InFlightCall(CallKey.Of("{}"u8), """{"jsonrpc":"2.0","id":1,"method":"ping"}"""u8.ToArray());
        var record = new SessionRecord
        {
            Id = SessionId,
            Owner = "somebody",
            Epoch = 1,
            ProtocolVersion = McpHeaders.FirstWithPriming,
            Created = time.GetUtcNow(),
            Handshake = new Dictionary<string, ReadOnlyMemory<byte>>
            {
                [HandshakeKeys.Initialize] = """{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"rehearsal","version":"1"}}}"""u8.ToArray(),
            },
        };
        await memory.CreateAsync(record, cancellationToken).ConfigureAwait(false);
        await memory.CommitAsync(
            SessionId, new SessionCommit { Epoch = 1, Number = 1, LastPosition = 0, Calls = [new(Stream, call.ToBytes())] }, cancellationToken).ConfigureAwait(false);
        if (await memory.TakeOverAsync(SessionId, 1, self.Id, cancellationToken).ConfigureAwait(false) is not TakeOver.Taken taken)
            return;

        var (session, _, _) = await SessionRestore.RunAsync(runtime, taken.Snapshot, _ => { }, cancellationToken).ConfigureAwait(false);
        if (await session.ResumeAsync(new SseEventId(Stream, 0), cancellationToken).ConfigureAwait(false) is Resumption.Reading { Reader: var reader })
        {
            while ((await reader.ReadAsync(cancellationToken).ConfigureAwait(false)).Kind is not (StreamItemKind.Completed or StreamItemKind.Moved))
            {
                // The answer goes nowhere.
            }
        }

        session.Close();
    }

    // None of this finds anything: it loads the scripts, and the code that sends them.
    private async Task AskStoreAsync(CancellationToken cancellationToken)
    {
        try
        {
            await store.FindAsync(SessionId, cancellationToken).ConfigureAwait(false);
            await store.TakeOverAsync(SessionId, 0, self.Id, cancellationToken).ConfigureAwait(false);
            await store.CommitAsync(SessionId, new SessionCommit { Epoch = 0, Number = 1, LastPosition = 0 }, cancellationToken).ConfigureAwait(false);
        }
        catch (StoreUnavailableException e)
        {
            LogFailed(e);
        }
    }

    [LoggerMessage(Level = LogLevel.Debug, Message = "The rehearsal of a take-over failed; the first real one is slower.")]
    private partial void LogFailed(Exception exception);
}

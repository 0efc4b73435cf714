using System.Text;
using McpHa.HighAvailability.Cluster;
using McpHa.HighAvailability.Diagnostics;
using McpHa.HighAvailability.EventBus;
using McpHa.HighAvailability.Http;
using McpHa.HighAvailability.Journal;
using Microsoft.AspNetCore.Http;
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
/// wait. The session lives in a store and a cluster of its own in memory, no tool runs, and nothing of it is counted or seen. The real store sees
/// <see cref="StoreRehearsal"/>.
/// </remarks>
internal sealed partial class Rehearsal(
    ISessionStore store,
    ISessionJournal journal,
    SelfReplica self,
    PeerRelay relay,
    StatelessEndpoint stateless,
    KeepAliveClock keepAlive,
    Standing standing,
    IOptions<HighAvailabilityOptions> options,
    IOptions<SessionStoreOptions> storeOptions,
    IOptions<ClusterOptions> clusterOptions,
    IOptions<McpServerOptions> serverOptions,
    IServiceProvider services,
    TimeProvider time,
    ILogger<Rehearsal> logger) : IHostedLifecycleService
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);
    private static int _rehearsed;

    public async Task StartingAsync(CancellationToken cancellationToken)
    {
        if (Interlocked.Exchange(ref _rehearsed, 1) == 1)
            return;
        try
        {
            await ServeAsync(cancellationToken).WaitAsync(Patience, time, cancellationToken).ConfigureAwait(false);
            await new StoreRehearsal(store, journal, time).RunAsync(cancellationToken).WaitAsync(Patience, time, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            LogFailed(e);
        }
    }

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    internal async Task ServeAsync(CancellationToken cancellationToken)
    {
        using var meters = new UnheardMeters();
        using var flusher = new LazyFlusher(time);
        var metrics = new SessionMetrics(meters);
        var sessions = new InMemorySessions(time, storeOptions);
        var memory = new InMemorySessionStore(sessions);
        var commits = new CommitContext(memory, standing, time, metrics, options, storeOptions, NullLogger<CommitQueue>.Instance);
        var runtime = new SessionRuntime(
            self, memory, new InMemorySessionJournal(sessions), commits, flusher, metrics, options, serverOptions, NullLoggerFactory.Instance, services, time);
        using var directory = new ReplicaDirectory(new InMemoryReplicaRegistry(time), clusterOptions, time, NullLogger<ReplicaDirectory>.Instance);
        await directory.RefreshAsync(cancellationToken).ConfigureAwait(false);
        var host = new SessionHost(runtime, directory, new InMemoryEventBus(NullLogger<InMemoryEventBus>.Instance), NullLogger<SessionHost>.Instance);
        var gate = new SessionGate(host, self, relay, metrics, time, options);
        var endpoint = new McpEndpoint(host, gate, stateless, new BatchEndpoint(gate, keepAlive, metrics), new SessionLimits(host), keepAlive, metrics, standing, time, options);

        var record = MakeBelieve.Record(time);
        await memory.CreateAsync(record, cancellationToken).ConfigureAwait(false);
        await memory.CommitAsync(record.Id, MakeBelieve.CallInFlight, cancellationToken).ConfigureAwait(false);

        // The client comes back for its call, which takes the session over, and then calls again.
        var resume = Request(record.Id);
        resume.Request.Headers[McpHeaders.LastEventId] = $"{MakeBelieve.Stream}-0";
        await endpoint.GetAsync(resume).ConfigureAwait(false);

        var ping = Request(record.Id);
        ping.Request.ContentType = "application/json";
        ping.Request.Body = new MemoryStream(Encoding.UTF8.GetBytes(MakeBelieve.Ping(2)));
        await endpoint.PostAsync(ping).ConfigureAwait(false);

        host.Find(record.Id)?.Close();
        if (resume.Response is not { StatusCode: 200, ContentType: not null } || ping.Response is not { StatusCode: 200, ContentType: not null })
        {
            throw new InvalidOperationException(
                $"The make-believe session was answered {resume.Response.StatusCode} {resume.Response.ContentType} and {ping.Response.StatusCode} {ping.Response.ContentType}.");
        }
    }

    private DefaultHttpContext Request(string sessionId)
    {
        var context = new DefaultHttpContext { RequestServices = services };
        context.Request.Headers.Accept = "application/json, text/event-stream";
        context.Request.Headers[McpHeaders.SessionId] = sessionId;
        context.Request.Headers[McpHeaders.ProtocolVersion] = McpHeaders.FirstWithPriming;
        return context;
    }

    [LoggerMessage(Level = LogLevel.Debug, Message = "The rehearsal of a take-over failed; the first real one is slower.")]
    private partial void LogFailed(Exception exception);
}

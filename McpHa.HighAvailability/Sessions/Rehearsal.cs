using System.Text;
using McpHa.HighAvailability.Cluster;
using McpHa.HighAvailability.Diagnostics;
using McpHa.HighAvailability.EventBus;
using McpHa.HighAvailability.Http;
using McpHa.HighAvailability.Journal;
using McpHa.HighAvailability.Limits;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using PeerRelay = McpHa.HighAvailability.Relay.Relay;

namespace McpHa.HighAvailability.Sessions;

/// <summary>Takes a make-believe session over when the process starts, and goes on doing so until it is good at it, or has sessions in earnest.</summary>
/// <remarks>
/// The first take-over of a process would otherwise pay for compiling all of the code that it runs, at the moment when clients
/// wait: once when it runs for the first time, and once more, better, when it has run some thirty times. The session lives in a store and a cluster of
/// its own in memory, on a <see cref="MakeBelieveServer">server of its own</see>, and nothing of it is counted or seen. The real store sees
/// <see cref="StoreRehearsal"/>, once.
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
    MakeBelieveServer server,
    SessionHost inEarnest,
    IServiceProvider services,
    TimeProvider time,
    ILogger<Rehearsal> logger) : IHostedLifecycleService
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    // More than the calls after which the runtime compiles a method for good.
    private const int Rounds = 45;
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(25);
    private static int _rehearsed;

    private readonly CancellationTokenSource _ending = new();
    private bool _goesOn;

    public async Task StartingAsync(CancellationToken cancellationToken)
    {
        if (Interlocked.Exchange(ref _rehearsed, 1) == 1)
            return;
        try
        {
            await ServeAsync(cancellationToken).WaitAsync(Patience, time, cancellationToken).ConfigureAwait(false);
            await new StoreRehearsal(store, journal, time).RunAsync(cancellationToken).WaitAsync(Patience, time, cancellationToken).ConfigureAwait(false);
            _goesOn = true;
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            LogFailed(e);
        }
    }

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken)
    {
        if (_goesOn)
            _ = GoOnAsync();
        return Task.CompletedTask;
    }

    public Task StoppingAsync(CancellationToken cancellationToken) => _ending.CancelAsync();

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private async Task GoOnAsync()
    {
        try
        {
            for (var round = 1; round < Rounds && inEarnest.SessionCount == 0; round++)
            {
                await Task.Delay(Pause, time, _ending.Token).ConfigureAwait(false);
                await ServeAsync(_ending.Token).ConfigureAwait(false);
            }
        }
        catch (Exception e)
        {
            if (!_ending.IsCancellationRequested)
                LogFailed(e);
        }
    }

    internal async Task ServeAsync(CancellationToken cancellationToken)
    {
        using var meters = new UnheardMeters();
        using var flusher = new LazyFlusher(time);
        var metrics = new SessionMetrics(meters);
        var sessions = new InMemorySessions(time, storeOptions);
        var memory = new InMemorySessionStore(sessions);
        var commits = new CommitContext(memory, standing, time, metrics, options, storeOptions, NullLogger<CommitQueue>.Instance);
        var runtime = new SessionRuntime(
            self, memory, new InMemorySessionJournal(sessions), commits, flusher, metrics, options, Options.Create(server.Options()), NullLoggerFactory.Instance, services, time);
        using var directory = new ReplicaDirectory(new InMemoryReplicaRegistry(time), clusterOptions, time, NullLogger<ReplicaDirectory>.Instance);
        await directory.RefreshAsync(cancellationToken).ConfigureAwait(false);
        var host = new SessionHost(runtime, directory, new InMemoryEventBus(NullLogger<InMemoryEventBus>.Instance), NullLogger<SessionHost>.Instance);
        var gate = new SessionGate(host, self, relay, metrics, time, options);
        var limits = new SessionLimits(host);
        var bodies = new RequestBodies(new BodyBudget(null, 0, ""));
        var endpoint = new McpEndpoint(host, gate, stateless, limits, bodies, keepAlive, metrics, standing, time, options);

        var record = MakeBelieve.Record(time);
        await memory.CreateAsync(record, cancellationToken).ConfigureAwait(false);
        await memory.CommitAsync(record.Id, MakeBelieve.CallInFlight(time), cancellationToken).ConfigureAwait(false);

        // The client comes back for its call, which takes the session over, opens a stream, and calls again.
        var resume = Request(record.Id);
        resume.Request.Headers[McpHeaders.LastEventId] = MakeBelieve.LastEventId;
        await endpoint.GetAsync(resume).ConfigureAwait(false);

        using var gone = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var listen = Request(record.Id);
        listen.RequestAborted = gone.Token;
        var listening = endpoint.GetAsync(listen);
        List<HttpContext> answered = [resume, listen];
        foreach (var tool in (string[])[MakeBelieveServer.Again, MakeBelieveServer.Once])
        {
            var call = Request(record.Id);
            call.Request.ContentType = "application/json";
            call.Request.Body = new MemoryStream(Encoding.UTF8.GetBytes(MakeBelieve.Call(answered.Count + 1, tool)));
            await endpoint.PostAsync(call).ConfigureAwait(false);
            answered.Add(call);
        }

        await gone.CancelAsync().ConfigureAwait(false);
        await listening.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        host.Find(record.Id)?.Close();
        if (answered.Find(one => one.Response is not { StatusCode: 200, ContentType: not null }) is { } other)
            throw new InvalidOperationException($"The make-believe session was answered {other.Response.StatusCode} {other.Response.ContentType}.");
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

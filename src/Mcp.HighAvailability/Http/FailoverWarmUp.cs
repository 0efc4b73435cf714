using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Text;
using System.Text.Json.Nodes;
using Mcp.HighAvailability.Affinity;
using Mcp.HighAvailability.Broadcast;
using Mcp.HighAvailability.Cluster;
using Mcp.HighAvailability.Diagnostics;
using Mcp.HighAvailability.Protocol;
using Mcp.HighAvailability.Relay;
using Mcp.HighAvailability.Sessions;
using Mcp.HighAvailability.Storage;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using ModelContextProtocol;
using ModelContextProtocol.Protocol;
using ModelContextProtocol.Server;

namespace Mcp.HighAvailability.Http;

/// <summary>Loses a replica and takes its session over, once per process, in memory, before the server listens.</summary>
/// <remarks>
/// The runtime loads and compiles what a failover needs when the first one comes, while a client waits. This has it do that before. It has services of its
/// own, and uses neither the application's tools and hooks nor its store. After the start, the store is asked for a session that does not exist. Telemetry
/// that is set up in the usual way listens later. It does nothing if something listens to traces already, or if sessions are kept in memory, which no other
/// replica can take over.
/// </remarks>
internal sealed partial class FailoverWarmUp(
    IServer server, IHostApplicationLifetime lifetime, ISessionStore store, TimeProvider time, ILogger<FailoverWarmUp> logger) : IHostedLifecycleService
{
    private const string Tool = "warm-up";
    private const string Lost = "lost";

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(5);

    // Nothing listens there.
    private static readonly Uri Nowhere = new("http://127.0.0.1:1");

    private static int _begun;
    private bool _done;

    /// <inheritdoc/>
    public async Task StartingAsync(CancellationToken cancellationToken)
    {
        if (store is InMemorySessionStore || SessionTrace.IsOn || Interlocked.Exchange(ref _begun, 1) != 0)
            return;
        var begun = time.GetTimestamp();
        try
        {
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            limit.CancelAfter(Limit);
            await Task.Run(() => RunAsync(limit.Token), limit.Token).WaitAsync(limit.Token).ConfigureAwait(false);
            _done = true;
            LogDone((long)time.GetElapsedTime(begun).TotalMilliseconds);
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            LogFailed(e);
        }
    }

    /// <inheritdoc/>
    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>What a take-over asks the real store is asked once, for a session that does not exist. Nothing waits for it.</summary>
    public Task StartedAsync(CancellationToken cancellationToken)
    {
        if (_done)
            _ = Task.Run(AskStoreAsync, CancellationToken.None);
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>A call is in progress at one replica, and goes on at another, which cannot reach the first one.</summary>
    /// <returns>What the other one has sent, and whether it has found the first one gone.</returns>
    internal async Task<(string Sent, bool FoundGone)> RunAsync(CancellationToken cancellationToken)
    {
        var working = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var lost = Provide(Lost, null, async (context, stopping) =>
        {
            await ReportAsync(context, 1, stopping).ConfigureAwait(false);
            working.TrySetResult();

            // Until the replica is lost.
            await Task.Delay(Timeout.InfiniteTimeSpan, stopping).ConfigureAwait(false);
            return new CallToolResult();
        });
        await using var next = Provide("next", lost, async (context, stopping) =>
        {
            await ReportAsync(context, 1, stopping).ConfigureAwait(false);
            await ReportAsync(context, 2, stopping).ConfigureAwait(false);
            return new CallToolResult { Content = [new TextContentBlock { Text = "warm" }] };
        });
        ServiceProvider[] replicas = [lost, next];
        await AddLostAsync(next.GetRequiredService<IReplicaRegistry>(), cancellationToken).ConfigureAwait(false);
        foreach (var replica in replicas)
        {
            await replica.GetRequiredService<ReplicaDirectory>().RefreshAsync(cancellationToken).ConfigureAwait(false);
            await replica.GetRequiredService<BroadcastFollower>().ReadAsync(cancellationToken).ConfigureAwait(false);
        }

        var opened = await PostAsync(lost, "", 1, RequestMethods.Initialize, new()
        {
            ["protocolVersion"] = McpHeaders.FirstWithPriming,
            ["capabilities"] = new JsonObject(),
            ["clientInfo"] = new JsonObject { ["name"] = Tool, ["version"] = "1" },
        }, cancellationToken).ConfigureAwait(false);
        var session = opened.Response.Headers[McpHeaders.SessionId].ToString();
        await PostAsync(lost, session, null, NotificationMethods.InitializedNotification, [], cancellationToken).ConfigureAwait(false);

        var call = PostAsync(lost, session, 2, RequestMethods.ToolsCall, Call(), cancellationToken);
        await working.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
        var directory = next.GetRequiredService<ReplicaDirectory>();
        var wasAlive = directory.Find(Lost) is not null;
        var reported = new SseEventId(SseEventId.NameStream(SseEventId.CallStream, 1, 1), 1);
        var resumed = await SendAsync(next, session, HttpMethods.Get, "", cancellationToken, reported.ToString()).ConfigureAwait(false);
        await PostAsync(next, session, 3, RequestMethods.ToolsCall, Call(), cancellationToken).ConfigureAwait(false);

        foreach (var replica in replicas)
            replica.GetRequiredService<SessionHost>().Find(session)?.Close();
        await ((Task)call).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        return (Encoding.UTF8.GetString(((MemoryStream)resumed.Response.Body).ToArray()), wasAlive && directory.Find(Lost) is null);
    }

    // The next replica then finds that it refuses connections, as the one of a killed process does. Windows takes two seconds to refuse one.
    private async Task AddLostAsync(IReplicaRegistry registry, CancellationToken cancellationToken)
    {
        if (OperatingSystem.IsWindows())
            return;
        var info = new ReplicaInfo(Lost, Nowhere, Draining: false, Sessions: 1, Calls: 1, time.GetUtcNow(), "", Environment.ProcessId)
        {
            WrittenBack = DeferredRegistry.Incarnation,
        };
        using var probe = new PeerProbe(Options.Create(new ClusterOptions()), time);
        if (await probe.ProbeAsync(info, cancellationToken).ConfigureAwait(false) is ProbeAnswer.Unreachable { Refused: true })
            await registry.BeatAsync(info, cancellationToken).ConfigureAwait(false);
    }

    private async Task AskStoreAsync()
    {
        var unknown = SessionIds.New(Tool);
        try
        {
            await store.FindAsync(unknown).ConfigureAwait(false);
            await store.TakeOverAsync(unknown, expectedEpoch: 1, Tool).ConfigureAwait(false);
        }
        catch (Exception e)
        {
            LogNotAsked(e);
        }
    }

    // The tool may run again, so the next replica runs it.
    private ServiceProvider Provide(
        string id, ServiceProvider? other, Func<RequestContext<CallToolRequestParams>, CancellationToken, Task<CallToolResult>> work)
    {
        var services = new ServiceCollection();
        services.AddSingleton<ILoggerFactory>(NullLoggerFactory.Instance);
        services.AddSingleton<IMeterFactory, UnheardMeters>();
        services.AddSingleton(server);
        services.AddSingleton(lifetime);
        if (other is not null)
            services.AddSingleton(other.GetRequiredService<InMemorySessions>());
        services.AddSingleton<ISessionStore>(static replica => new DeferredStore(ActivatorUtilities.CreateInstance<InMemorySessionStore>(replica)));
        services.AddSingleton<IReplicaRegistry>(static replica => new DeferredRegistry(ActivatorUtilities.CreateInstance<InMemoryReplicaRegistry>(replica)));
        services.AddMcpServer()
            .WithHighAvailability(ha => ha.Configure(options => (options.ReplicaId, options.AdvertisedAddress) = (id, Nowhere)))
            .WithTools([McpServerTool.Create(work, new() { Name = Tool, ReadOnly = true })]);

        // It asks peers all the time.
        services.RemoveAll<PeerProbe>();
        return services.BuildServiceProvider();
    }

    private static JsonObject Call() => new() { ["name"] = Tool, ["arguments"] = new JsonObject(), ["_meta"] = new JsonObject { ["progressToken"] = Tool } };

    private static Task ReportAsync(RequestContext<CallToolRequestParams> context, int step, CancellationToken cancellationToken) =>
        context.Server.NotifyProgressAsync(context.Params!.ProgressToken!.Value, new() { Progress = step }, null, cancellationToken);

    private static Task<HttpContext> PostAsync(ServiceProvider replica, string session, int? id, string method, JsonObject parameters,
        CancellationToken cancellationToken)
    {
        var message = new JsonObject { ["jsonrpc"] = "2.0", ["method"] = method, ["params"] = parameters };
        if (id is not null)
            message["id"] = id;
        return SendAsync(replica, session, HttpMethods.Post, message.ToJsonString(), cancellationToken);
    }

    private static async Task<HttpContext> SendAsync(ServiceProvider replica, string session, string method, string body, CancellationToken cancellationToken,
        string lastEvent = "")
    {
        var context = new DefaultHttpContext { RequestAborted = cancellationToken, Response = { Body = new MemoryStream() } };
        var request = context.Request;
        (request.Method, request.ContentType, request.Body) = (method, "application/json", new MemoryStream(Encoding.UTF8.GetBytes(body)));
        request.Headers.Accept = $"application/json, {McpEndpoint.EventStream}";
        if (session.Length > 0)
            (request.Headers[McpHeaders.SessionId], request.Headers[McpHeaders.ProtocolVersion]) = (session, McpHeaders.FirstWithPriming);
        if (lastEvent.Length > 0)
            request.Headers[McpHeaders.LastEventId] = lastEvent;
        var endpoint = replica.GetRequiredService<McpEndpoint>();
        await (HttpMethods.IsPost(method) ? endpoint.PostAsync(context) : endpoint.GetAsync(context)).ConfigureAwait(false);
        return context;
    }

    // Meters of another name than those that telemetry listens to.
    private sealed class UnheardMeters : IMeterFactory
    {
        private readonly ConcurrentBag<Meter> _meters = [];

        public Meter Create(MeterOptions options)
        {
            var meter = new Meter(Tool);
            _meters.Add(meter);
            return meter;
        }

        public void Dispose()
        {
            foreach (var meter in _meters)
                meter.Dispose();
        }
    }

    [LoggerMessage(Level = LogLevel.Debug, Message = "Warmed up for a failover in {Milliseconds} ms.")]
    private partial void LogDone(long milliseconds);

    [LoggerMessage(Level = LogLevel.Debug, Message = "The store could not be asked for a session that does not exist.")]
    private partial void LogNotAsked(Exception exception);

    [LoggerMessage(
        Level = LogLevel.Warning,
        Message = "The warm-up for a failover failed or took longer than 5 s. This server works, but the first session that it takes over waits longer. " +
            "Report the exception if the server had enough processor time.")]
    private partial void LogFailed(Exception exception);
}

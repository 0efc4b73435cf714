using System.Text;
using McpHa.HighAvailability.Cluster;
using McpHa.HighAvailability.Limits;
using McpHa.HighAvailability.Diagnostics;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace McpHa.HighAvailability.Relay;

/// <summary>Lets a make-believe replica die under a stream when the process starts, and goes on at another one.</summary>
/// <remarks>
/// The first failover of a process would otherwise pay for compiling all of the code that it runs, at the moment when clients wait. Real
/// connections on the loopback interface, a directory and metrics of its own: nothing of it is counted or seen.
/// </remarks>
internal sealed partial class RelayRehearsal(TimeProvider time, ILogger<RelayRehearsal> logger) : IHostedLifecycleService
{
    private const string Head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: ";
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);
    private static int _rehearsed;

    public async Task StartingAsync(CancellationToken cancellationToken)
    {
        if (Interlocked.Exchange(ref _rehearsed, 1) == 1)
            return;
        try
        {
            await RehearseAsync(cancellationToken).WaitAsync(Patience, time, cancellationToken).ConfigureAwait(false);
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

    internal async Task RehearseAsync(CancellationToken cancellationToken)
    {
        using var dies = new MakeBelieveReplica("rehearsal-1", (Stream("id: c1x1-0\ndata: \n\n"), Breaks: true));
        using var lives = new MakeBelieveReplica(
            "rehearsal-2",
            (Stream("id: c1x1-0\ndata: \n\n", "id: c1x1-1\nevent: message\ndata: {}\n\n", ""), Breaks: false),
            (Chunked("application/json", "{}", ""), Breaks: false));
        using var meters = new UnheardMeters();
        var registry = new InMemoryReplicaRegistry(time);
        await registry.BeatAsync(dies.Info, cancellationToken).ConfigureAwait(false);
        await registry.BeatAsync(lives.Info, cancellationToken).ConfigureAwait(false);
        using var directory = new ReplicaDirectory(registry, Options.Create(new ClusterOptions()), time, NullLogger<ReplicaDirectory>.Instance);
        await directory.RefreshAsync(cancellationToken).ConfigureAwait(false);
        using var relay = new Relay(directory, new RelayOptions(), new RelayMetrics(meters), new Descriptors(NullLogger<Descriptors>.Instance), NullLogger.Instance);

        foreach (var route in (Route[])[new(dies.Info, dies.Info, lives.Info), new(lives.Info)])
        {
            var exchange = new RelayExchange { Method = HttpMethod.Post, PathAndQuery = "/", Body = "{}"u8.ToArray(), Repeatable = true };
            var context = new DefaultHttpContext();
            await relay.RelayAsync(context, exchange, route, cancellationToken).ConfigureAwait(false);
            if (context.Response.ContentType is null || !route.IsAtEnd)
                throw new InvalidOperationException($"The make-believe replicas were not asked as they should be; the answer was {context.Response.StatusCode}.");
        }
    }

    private static byte[] Stream(params string[] events) => Chunked("text/event-stream", events);

    private static byte[] Chunked(string type, params string[] chunks) =>
        Encoding.ASCII.GetBytes($"{Head}{type}\r\n\r\n{string.Concat(chunks.Select(chunk => $"{chunk.Length:x}\r\n{chunk}\r\n"))}");

    [LoggerMessage(Level = LogLevel.Debug, Message = "The rehearsal of a failover failed; the first real one is slower.")]
    private partial void LogFailed(Exception exception);

    // One replica after the other.
    private sealed class Route(params ReplicaInfo[] replicas) : IRelayRoute
    {
        private int _next;

        public bool IsAtEnd => _next == replicas.Length;

        public ValueTask<RelayTarget?> NextAsync(RelayFailure? previous, CancellationToken cancellationToken) =>
            new(_next < replicas.Length ? new RelayTarget(replicas[_next].Id, replicas[_next++].Address, Hop: false) : null);

        public void Learned(RelayTarget target, string? owner, string? sessionId)
        {
            // Nobody wants to know.
        }
    }
}

using Mcp.HighAvailability.Cluster;
using Mcp.HighAvailability.Diagnostics;
using Mcp.HighAvailability.Limits;
using Mcp.HighAvailability.Relay.Upstream;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Mcp.HighAvailability.Relay;

/// <summary>
/// Sends HTTP exchanges of clients on to replicas and survives the replicas: used by replicas for peer forwarding, by the balancer
/// for everything. One per process.
/// </summary>
/// <remarks>
/// <para>Whole answers go to the client only when they have arrived whole; of event streams only whole events go. When a replica breaks, the
/// route names the next one: a stream goes on from its last event id on the same client response, everything else is sent again if the
/// exchange is repeatable.</para>
/// <para>A client that reads slowly slows its replica down; memory per exchange is bounded by <see cref="RelayOptions.MaxMessageBytes"/>.</para>
/// </remarks>
public sealed partial class Relay : IDisposable
{
    private readonly RelayKeepAlive _keepAlive;
    private volatile Ends _ends = new(new(), new());

    internal Relay(ReplicaDirectory directory, RelayOptions options, RelayMetrics metrics, Descriptors descriptors, TimeProvider time, ILogger logger)
    {
        (Directory, Options, Metrics, Logger) = (directory, options, metrics, logger);
        _keepAlive = new RelayKeepAlive(options.KeepAlive, time, logger);
        Shared = new SharedConnections(directory);
        Client = new ReplicaClient(directory, options, descriptors, time);
        LostRequests = new(time, (lost, calls, _) => LogLostRequests(Logger, lost, calls));
    }

    internal ReplicaDirectory Directory { get; }

    internal RelayOptions Options { get; }

    internal RelayMetrics Metrics { get; }

    internal ILogger Logger { get; }

    internal ReplicaClient Client { get; }

    internal SharedConnections Shared { get; }

    /// <summary>Requests that ended with "may have run", by the replica that was lost with them.</summary>
    internal LogGathering<string, int> LostRequests { get; }

    internal SessionRoutes Routes { get; } = new();

    /// <summary>Relays one exchange until the client has its whole response, or an error that says what is known, or has gone.</summary>
    /// <param name="context">The client's request (for its headers) and response.</param>
    /// <param name="exchange">What to send.</param>
    /// <param name="route">Where to send it, attempt by attempt.</param>
    /// <param name="cancellationToken">Ends when the client has gone, e.g. <see cref="HttpContext.RequestAborted"/>; the replica's connection is then
    /// closed.</param>
    /// <returns><see langword="false"/>: it has to be served here, see <see cref="RelayTarget.IsHere"/>. Nothing was answered.</returns>
    public Task<bool> RelayAsync(HttpContext context, RelayExchange exchange, IRelayRoute route, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(context);
        ArgumentNullException.ThrowIfNull(exchange);
        ArgumentNullException.ThrowIfNull(route);
        return new RelayRun(this, new RelayClient(context, _keepAlive), context, exchange, route, cancellationToken).RunAsync();
    }

    /// <summary>
    /// Ends the streams that their clients can resume elsewhere (they have had an event with an id), now and from now on, because this process
    /// is about to end; those of calls a second later, for most have finished by then. Everything else goes on to its end.
    /// </summary>
    public void EndStreams() => End(_ends);

    /// <summary>
    /// Ends those that are open now, as <see cref="EndStreams"/> does, and none that comes later: clients had better go elsewhere, and this process
    /// stays.
    /// </summary>
    public void EndOpenStreams() => End(Interlocked.Exchange(ref _ends, new(new(), new())));

    /// <summary>Ends when streams that can be resumed elsewhere have to end. An exchange takes it once, when it begins.</summary>
    internal CancellationToken Ending(bool listens) => listens ? _ends.Listening.Token : _ends.Calls.Token;

    /// <inheritdoc/>
    public void Dispose()
    {
        _keepAlive.Dispose();
        Client.Dispose();
    }

    private void End(Ends ends)
    {
        _ = ends.Listening.CancelAsync();
        ends.Calls.CancelAfter(Options.CallsFinish);
    }

    private sealed record Ends(CancellationTokenSource Listening, CancellationTokenSource Calls);

    [LoggerMessage(
        Level = LogLevel.Warning,
        Message = "Replica {ReplicaId} was lost with requests that must not be sent twice. Their clients were told that they may have run. Requests: {Count}.")]
    private static partial void LogLostRequests(ILogger logger, string replicaId, int count);
}

using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Mcp.HighAvailability.Storage;
using Microsoft.Extensions.Options;

namespace Mcp.HighAvailability.Cluster;

/// <summary>Asks replicas directly, past the registry, whether they are there: heartbeats say nothing about the way to them.</summary>
/// <remarks>A client of <c>ProbeEndpoint</c>, which every replica answers at its address, whatever its application maps. One per process.</remarks>
public sealed class PeerProbe : IDisposable
{
    /// <summary>Fixed path at a replica's address.</summary>
    internal const string Path = "/.well-known/mcp-ha-replica";

    /// <summary>Request header: id of the replica that is meant. Without it the path belongs to the application. Relays pass no such header on.</summary>
    internal const string Header = "Mcp-Ha-Probe";

    private const int MaxBytes = 1024;

    // The time-out is counted in slices by this process's own timers: when it stands still itself, or is starved of processor time, it loses
    // one slice, and what has arrived meanwhile is read before the next.
    private const int Slices = 9;

    private readonly TimeSpan _timeout;
    private readonly TimeProvider _time;
    private readonly HttpMessageInvoker _http;

    /// <summary>Creates the probe. It sends nothing by itself.</summary>
    public PeerProbe(IOptions<ClusterOptions> options, TimeProvider time)
    {
        ArgumentNullException.ThrowIfNull(options);
        _timeout = options.Value.AnswerTimeout;
        _time = time;
        _http = new HttpMessageInvoker(new SocketsHttpHandler
        {
            UseCookies = false,
            AllowAutoRedirect = false,
            UseProxy = false,
            ActivityHeadersPropagator = null,
            // A connection attempt outlives its request otherwise, and the next request would wait for it.
            ConnectTimeout = _timeout,
        });
    }

    /// <summary>Asks a replica. Takes <c>Overdue</c> less <c>HeartbeatInterval</c> at most (2 seconds by default), and very little when it answers.</summary>
    /// <exception cref="OperationCanceledException">The caller gave up.</exception>
    public async Task<ProbeAnswer> AskAsync(ReplicaInfo replica, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(replica);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var asking = SendAsync(replica, keep: false, limit.Token);
        for (var slice = 0; slice < Slices && !asking.IsCompleted; slice++)
            await ((Task)asking).WaitAsync(_timeout / Slices, _time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);

        // A request that is given up takes its connection with it; the next one does not wait behind it.
        await limit.CancelAsync().ConfigureAwait(false);
        var answer = await asking.ConfigureAwait(false);
        cancellationToken.ThrowIfCancellationRequested();
        return answer;
    }

    /// <summary>
    /// Asks a replica over a connection that is kept, without a time limit: probes are frequent, and an established connection shows as well that it
    /// lives.
    /// </summary>
    /// <exception cref="OperationCanceledException">The caller gave up; the connection is closed.</exception>
    internal async Task<ProbeAnswer> ProbeAsync(ReplicaInfo replica, CancellationToken cancellationToken)
    {
        var answer = await SendAsync(replica, keep: true, cancellationToken).ConfigureAwait(false);
        cancellationToken.ThrowIfCancellationRequested();
        return answer;
    }

    /// <inheritdoc/>
    public void Dispose() => _http.Dispose();

    private async Task<ProbeAnswer> SendAsync(ReplicaInfo replica, bool keep, CancellationToken cancellationToken)
    {
        try
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(replica.Address, Path));
            request.Headers.TryAddWithoutValidation(Header, replica.Id);
            if (!keep)
                request.Headers.ConnectionClose = true; // a connection that exists already says nothing about new ones
            using var response = await _http.SendAsync(request, cancellationToken).ConfigureAwait(false);
            if (response.StatusCode == HttpStatusCode.MisdirectedRequest)
                return new ProbeAnswer.Unreachable(Refused: true);
            if ((int)response.StatusCode >= 500)
                return new ProbeAnswer.Unreachable(Refused: false); // what stands before it does not reach it either
            if (response.StatusCode != HttpStatusCode.OK || response.Content.Headers.ContentLength is not (> 0 and <= MaxBytes))
                return new ProbeAnswer.Unclear();

            var body = await response.Content.ReadAsByteArrayAsync(cancellationToken).ConfigureAwait(false);
            using var json = JsonDocument.Parse(body);
            return new ProbeAnswer.Answered(
                replica.Id, json.RootElement.GetProperty("draining").GetBoolean(), json.RootElement.GetProperty("storeAway").GetBoolean());
        }
        catch (Exception exception) when (exception is JsonException or KeyNotFoundException or InvalidOperationException)
        {
            return new ProbeAnswer.Unclear();
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException or SocketException or OperationCanceledException)
        {
            return IsOurs(exception) ? new ProbeAnswer.Unclear() : new ProbeAnswer.Unreachable(IsRefusal(exception));
        }
    }

    /// <summary>Whether the host said that no process listens. Anything else may be a delay, or a fault of this side of the network.</summary>
    internal static bool IsRefusal(Exception exception) => exception.InnerException is SocketException
    {
        SocketErrorCode: SocketError.ConnectionRefused,
    };

    // A lack of resources in this process or machine is no evidence against a peer.
    private static bool IsOurs(Exception exception) =>
        exception is HttpRequestException { HttpRequestError: HttpRequestError.NameResolutionError }
        || exception.InnerException is SocketException
        {
            SocketErrorCode: SocketError.TooManyOpenSockets or SocketError.NoBufferSpaceAvailable or SocketError.AddressNotAvailable
                or SocketError.AddressAlreadyInUse or SocketError.AccessDenied,
        };
}

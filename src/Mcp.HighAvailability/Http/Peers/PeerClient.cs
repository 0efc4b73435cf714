using System.Net;
using System.Net.Http.Json;
using Mcp.HighAvailability.Cluster;
using Mcp.HighAvailability.Protocol;
using Mcp.HighAvailability.Relay;
using Mcp.HighAvailability.Storage;
using Microsoft.Extensions.Options;

namespace Mcp.HighAvailability.Http;

/// <summary>Asks other replicas to do something for one of their sessions.</summary>
internal sealed class PeerClient(ReplicaDirectory directory, IOptions<RelayOptions> options) : IDisposable
{
    private const int MaxConnections = 64;

    // As long as a client of the other replica likes to take; the caller's token and the loss of the replica end it.
    private readonly HttpClient _http = new(new SocketsHttpHandler
    {
        UseCookies = false,
        AllowAutoRedirect = false,
        UseProxy = false,
        ActivityHeadersPropagator = null,
        ConnectTimeout = options.Value.ConnectTimeout,
        MaxConnectionsPerServer = MaxConnections,
        PooledConnectionIdleTimeout = TimeSpan.FromSeconds(60),
    })
    {
        Timeout = Timeout.InfiniteTimeSpan,
        MaxResponseContentBufferSize = options.Value.MaxMessageBytes,
    };

    /// <summary>Asks a replica.</summary>
    public async Task<PeerAnswer> AskAsync(ReplicaInfo replica, PeerRequest request, CancellationToken cancellationToken)
    {
        using var over = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, directory.LostToken(replica.Id));
        try
        {
            using var message = new HttpRequestMessage(HttpMethod.Post, new Uri(replica.Address, PeerEndpoint.Path))
            {
                Content = JsonContent.Create(request, PeerJson.Default.PeerRequest),
            };
            message.Headers.TryAddWithoutValidation(HaHeaders.Peer, replica.HopKey);
            using var response = await _http.SendAsync(message, over.Token);

            // Another process has got the address, or an older version is there.
            if (response.StatusCode != HttpStatusCode.OK)
                return new(PeerOutcome.NotNow) { Reason = $"Replica {replica.Id} answered {(int)response.StatusCode}." };
            return await response.Content.ReadFromJsonAsync(PeerJson.Default.PeerAnswer, over.Token) ?? new(PeerOutcome.Lost);
        }
        catch (HttpRequestException e) when (e.HttpRequestError is HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError)
        {
            if (PeerProbe.IsRefusal(e))
                directory.ReportUnreachable(replica.Id);
            return new(PeerOutcome.NotNow) { Reason = $"Replica {replica.Id} cannot be reached." };
        }
        catch (Exception e) when (e is HttpRequestException or IOException or System.Text.Json.JsonException
            || e is OperationCanceledException && !cancellationToken.IsCancellationRequested)
        {
            return new(PeerOutcome.Lost) { Reason = $"Replica {replica.Id} was lost." };
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _http.Dispose();
}

using System.Net;
using System.Net.Sockets;
using Mcp.HighAvailability.Lab.Chaos.History;
using Mcp.HighAvailability.Protocol;
using Mcp.HighAvailability.Relay;

namespace Mcp.HighAvailability.Lab.Chaos.Workload;

/// <summary>
/// What stands between a client and several balancers in real life: DNS with several addresses, a client-side load balancer, nginx. It
/// sends each request to one endpoint, and when that refuses the connection or breaks it before the response begins, to the next one,
/// with short pauses, for a bounded time. That is safe for POSTs too: replicas recognise a repeated POST by its exchange id.
/// Nothing is repeated once a response has begun, nor with a single endpoint: there the client alone decides.
/// </summary>
internal sealed class Route(IReadOnlyList<Uri> endpoints, int seed, HistoryLog history, HttpMessageHandler inner) : DelegatingHandler(inner)
{
    private const string SessionHeader = "Mcp-Session-Id";
    private static readonly TimeSpan Bound = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(20);

    private readonly Random _random = new(seed);

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        if (request.Content is not null)
            await request.Content.LoadIntoBufferAsync(cancellationToken);
        var session = request.Headers.TryGetValues(SessionHeader, out var values) ? values.First() : "";
        if (request.Method == HttpMethod.Post)
            request.Headers.TryAddWithoutValidation(HaHeaders.Exchange, Guid.NewGuid().ToString("N"));
        var first = First();
        TimeSpan? until = null;
        for (var attempt = 0; ; attempt++)
        {
            try
            {
                var response = await base.SendAsync(Copy(request, endpoints[(first + attempt) % endpoints.Count]), cancellationToken);
                if ((int)response.StatusCode >= 400)
                    Report(history, session, request.Method.Method, (int)response.StatusCode, repeated: false,
                        $"{(int)response.StatusCode} to a {request.Method}");
                return response;
            }
            catch (Exception e) when (e is HttpRequestException or SocketException)
            {
                until ??= history.Now + Bound;
                var again = endpoints.Count > 1 && history.Now < until;
                Report(history, session, request.Method.Method, null, again, e.Message);
                if (!again)
                    throw;
            }

            // The next one at once; a pause when all have been asked.
            if ((attempt + 1) % endpoints.Count == 0)
                await Task.Delay(Pause, cancellationToken);
        }
    }

    private int First()
    {
        lock (_random)
            return _random.Next(endpoints.Count);
    }

    /// <summary>Writes down what a client may keep to itself.</summary>
    /// <param name="status">HTTP status; <see langword="null"/>: no response began.</param>
    public static void Report(HistoryLog history, string session, string method, int? status, bool repeated, string reason)
    {
        if (status == (int)HttpStatusCode.NotFound && session.Length > 0)
            history.Add(at => new SessionLost(at, session, reason));
        else
            history.Add(at => new HttpTrouble(at, session, method, status, repeated, reason));
    }

    // A request object is sent once.
    private static HttpRequestMessage Copy(HttpRequestMessage request, Uri endpoint)
    {
        var copy = new HttpRequestMessage(request.Method, endpoint) { Content = request.Content, Version = request.Version,
            VersionPolicy = request.VersionPolicy };
        foreach (var (name, header) in request.Headers)
            copy.Headers.TryAddWithoutValidation(name, header);
        return copy;
    }
}

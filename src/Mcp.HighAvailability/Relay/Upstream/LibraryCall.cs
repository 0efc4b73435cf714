using System.Net;
using System.Net.Sockets;
using Mcp.HighAvailability.Cluster;
using Microsoft.AspNetCore.Http;

namespace Mcp.HighAvailability.Relay.Upstream;

/// <summary>A call by the library's client: for HTTP/2, where streams share connections, and for TLS.</summary>
internal sealed class LibraryCall(HttpMessageInvoker http, Uri replica, bool http2, CancellationToken lost) : ReplicaCall
{
    private static readonly UriCreationOptions AsIs = new() { DangerousDisablePathAndQueryCanonicalization = true };

    private readonly HttpRequestMessage _request = new();
    private readonly CancellationTokenSource _over = CancellationTokenSource.CreateLinkedTokenSource(lost);
    private readonly List<(string Name, string Value)> _contentHeaders = [];
    private HttpResponseMessage? _response;
    private Stream? _body;

    public override int Status => (int)(_response?.StatusCode ?? 0);

    public override long? Length => _response?.Content.Headers.ContentLength;

    // Put together as text: a path such as //host/x resolved against the base would go to another host.
    public override void Begin(HttpMethod method, string pathAndQuery)
    {
        var path = pathAndQuery.StartsWith('/') ? pathAndQuery : "/" + pathAndQuery;
        (_request.Method, _request.RequestUri) = (method, new Uri(string.Concat(replica.AbsoluteUri.AsSpan().TrimEnd('/'), path), in AsIs));
        if (http2)
            (_request.Version, _request.VersionPolicy) = (HttpVersion.Version20, HttpVersionPolicy.RequestVersionExact);
    }

    public override void AddHeader(string name, string value)
    {
        if (!_request.Headers.TryAddWithoutValidation(name, value))
            _contentHeaders.Add((name, value));
    }

    public override async ValueTask<SendOutcome> SendAsync(ReadOnlyMemory<byte>? body)
    {
        if (body is { } content)
        {
            _request.Content = new ReadOnlyMemoryContent(content);
            foreach (var (name, value) in _contentHeaders)
                _request.Content.Headers.TryAddWithoutValidation(name, value);
        }

        try
        {
            _response = await http.SendAsync(_request, _over.Token);
            return SendOutcome.Answered;
        }
        catch (Exception e) when (IsBreak(e) || e is SocketException)
        {
            return OutcomeOf(e);
        }
    }

    public override string? Header(string name)
    {
        if (_response is null)
            return null;
        if (!_response.Headers.NonValidated.TryGetValues(name, out var values) && !_response.Content.Headers.NonValidated.TryGetValues(name, out values))
            return null;
        foreach (var value in values)
            return value;
        return null;
    }

    public override void CopyHeaders(IHeaderDictionary to) => RelayHeaders.CopyToClient(_response!, to);

    public override async ValueTask<int> ReadAsync(Memory<byte> destination)
    {
        try
        {
            _body ??= await _response!.Content.ReadAsStreamAsync(CancellationToken.None);
            return await _body.ReadAsync(destination, _over.Token);
        }
        catch (Exception e) when (IsBreak(e))
        {
            return Broken;
        }
    }

    public override async ValueTask WaitAsync() => await ReadAsync(Memory<byte>.Empty);

    public override void Abort()
    {
        try
        {
            _over.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // It is over.
        }
    }

    public override void Dispose()
    {
        _request.Dispose();
        _response?.Dispose();
        _over.Dispose();
    }

    private SendOutcome OutcomeOf(Exception e) => e switch
    {
        HttpRequestException
        {
            HttpRequestError: HttpRequestError.HttpProtocolError or HttpRequestError.VersionNegotiationError or HttpRequestError.InvalidResponse,
        } when http2 => SendOutcome.NotHttp2,
        _ when PeerProbe.IsRefusal(e) => SendOutcome.Refused,
        // The only time-out there is: the one for connecting.
        OperationCanceledException { InnerException: TimeoutException } => SendOutcome.ConnectTimeout,
        HttpRequestException
        {
            HttpRequestError: HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError or HttpRequestError.SecureConnectionError,
        } => SendOutcome.NotConnected,
        // A connection that was reset before the client had a look at it: nothing was sent.
        SocketException => SendOutcome.NotConnected,
        _ => SendOutcome.Broken,
    };

    private static bool IsBreak(Exception e) => e is HttpRequestException or IOException or OperationCanceledException or ObjectDisposedException;
}

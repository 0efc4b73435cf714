using Microsoft.AspNetCore.Http;

namespace Mcp.HighAvailability.Relay.Upstream;

/// <summary>How sending a request to a replica ended.</summary>
internal enum SendOutcome
{
    /// <summary>The head of the response has arrived.</summary>
    Answered,

    /// <summary>The host or its network refused the connection: no replica is there. Nothing was sent.</summary>
    Refused,

    /// <summary>Connecting took too long. Nothing was sent.</summary>
    ConnectTimeout,

    /// <summary>There is no connection for another reason. Nothing was sent.</summary>
    NotConnected,

    /// <summary>The replica does not speak HTTP/2 at this address. The request was not processed.</summary>
    NotHttp2,

    /// <summary>The connection broke, or was aborted, after the request was sent in whole or in part.</summary>
    Broken,
}

/// <summary>
/// One request to a replica and its response. Order: <see cref="Begin"/>, <see cref="AddHeader(string, string)"/>, <see cref="SendAsync"/>, read,
/// dispose.
/// </summary>
/// <remarks>Not thread-safe, except for <see cref="Abort"/>. Failures are values: no member throws for what the replica or the network does.</remarks>
internal abstract class ReplicaCall : IDisposable
{
    /// <summary>Result of <see cref="ReadAsync"/>: the body is incomplete and no more of it will come.</summary>
    public const int Broken = -1;

    /// <summary>Status code of the response.</summary>
    public abstract int Status { get; }

    /// <summary>Length of the body in bytes; <see langword="null"/>: not known.</summary>
    public abstract long? Length { get; }

    /// <summary>Begins the request.</summary>
    /// <param name="method">The method.</param>
    /// <param name="pathAndQuery">Path and query, as the client wrote them.</param>
    public abstract void Begin(HttpMethod method, string pathAndQuery);

    /// <summary>Adds a header to the request.</summary>
    public abstract void AddHeader(string name, string value);

    /// <summary>Sends the request and waits for the head of the response.</summary>
    /// <param name="body">The body; <see langword="null"/>: the request has none.</param>
    public abstract ValueTask<SendOutcome> SendAsync(ReadOnlyMemory<byte>? body);

    /// <summary>First value of a response header; <see langword="null"/>: there is none.</summary>
    public abstract string? Header(string name);

    /// <summary>Copies the end-to-end headers of the response; see <see cref="RelayHeaders"/>.</summary>
    public abstract void CopyHeaders(IHeaderDictionary to);

    /// <summary>The whole body, if it has arrived with the head. Valid until the call is disposed.</summary>
    public virtual bool TryReadWhole(out ReadOnlyMemory<byte> body)
    {
        body = default;
        return false;
    }

    /// <summary>Reads from the body. Returns the number of bytes, 0 at the end, or <see cref="Broken"/>.</summary>
    public abstract ValueTask<int> ReadAsync(Memory<byte> destination);

    /// <summary>Waits until more of the body, or its end, can be read. Holds no buffer meanwhile.</summary>
    public abstract ValueTask WaitAsync();

    /// <summary>Ends the call now: what is pending ends as broken. Thread-safe.</summary>
    public abstract void Abort();

    /// <inheritdoc/>
    public abstract void Dispose();

    /// <summary>The response is a stream of server-sent events.</summary>
    public bool IsEventStream => Status is >= 200 and < 300 && HasContentType("text/event-stream");

    /// <summary>The response is JSON.</summary>
    public bool IsJson => HasContentType("application/json");

    private bool HasContentType(string type) => Header("Content-Type")?.StartsWith(type, StringComparison.OrdinalIgnoreCase) == true;
}

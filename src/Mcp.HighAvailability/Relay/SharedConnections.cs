using System.Collections.Concurrent;
using System.Net;
using Mcp.HighAvailability.Cluster;

namespace Mcp.HighAvailability.Relay;

/// <summary>
/// Has streams that only listen share connections to a replica, by HTTP/2: the client's connection is then the only one that a stream takes. Calls stay
/// with HTTP/1.1, and so does everything of a replica that does not answer by HTTP/2, because of what is between here and there.
/// </summary>
internal sealed class SharedConnections(ReplicaDirectory directory)
{
    private const int MaxKnown = 1_000;

    private readonly ConcurrentDictionary<string, bool> _answers = new(StringComparer.Ordinal);

    /// <summary>Has a request of a stream use a shared connection, if its replica takes it there.</summary>
    /// <returns>Whether it does.</returns>
    public bool TryUse(HttpRequestMessage request, string replicaId)
    {
        if (directory.Find(replicaId) is not { Http2: true } || _answers.TryGetValue(replicaId, out var answers) && !answers)
            return false;
        (request.Version, request.VersionPolicy) = (HttpVersion.Version20, HttpVersionPolicy.RequestVersionExact);
        return true;
    }

    /// <summary>A replica has answered on a shared connection.</summary>
    public void Answered(string replicaId)
    {
        if (_answers.ContainsKey(replicaId))
            return;
        if (_answers.Count >= MaxKnown)
            _answers.Clear();
        _answers[replicaId] = true;
    }

    /// <summary>Notes how a request on a shared connection failed.</summary>
    /// <returns>Whether it was because the other side does not speak HTTP/2: it is asked by HTTP/1.1 from now on.</returns>
    public bool IsRefused(string replicaId, Exception exception) =>
        exception is HttpRequestException { HttpRequestError: HttpRequestError.HttpProtocolError or HttpRequestError.VersionNegotiationError or HttpRequestError.InvalidResponse }
        && !_answers.GetOrAdd(replicaId, false);
}

using System.Collections.Concurrent;
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

    /// <summary>Whether a replica takes streams on shared connections.</summary>
    public bool Takes(string replicaId) => directory.Find(replicaId) is { Http2: true } && (!_answers.TryGetValue(replicaId, out var answers) || answers);

    /// <summary>A replica has answered on a shared connection.</summary>
    public void Answered(string replicaId)
    {
        if (_answers.ContainsKey(replicaId))
            return;
        if (_answers.Count >= MaxKnown)
            _answers.Clear();
        _answers[replicaId] = true;
    }

    /// <summary>A replica has refused HTTP/2. <see langword="true"/>: it never answered by it, and is asked by HTTP/1.1 from now on.</summary>
    public bool Refused(string replicaId) => !_answers.GetOrAdd(replicaId, false);
}

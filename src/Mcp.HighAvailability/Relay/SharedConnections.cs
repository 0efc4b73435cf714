using System.Collections.Concurrent;
using Mcp.HighAvailability.Cluster;

namespace Mcp.HighAvailability.Relay;

/// <summary>
/// Lets streams that only listen share HTTP/2 connections to a replica, so that a stream takes the client's connection alone. Calls use HTTP/1.1.
/// Replicas that do not answer HTTP/2 are called by HTTP/1.1; a proxy may be in between.
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

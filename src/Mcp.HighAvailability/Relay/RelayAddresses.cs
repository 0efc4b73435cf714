using System.Collections.Concurrent;

namespace Mcp.HighAvailability.Relay;

/// <summary>Addresses at replicas. Nearly all exchanges go to the same few, and taking one apart costs as much as sending it.</summary>
internal sealed class RelayAddresses
{
    private const int MostKept = 1_000;

    private static readonly UriCreationOptions AsIs = new() { DangerousDisablePathAndQueryCanonicalization = true };

    private readonly ConcurrentDictionary<(Uri Replica, string PathAndQuery), Uri> _kept = new();
    private int _count;

    /// <summary>A path at a replica, exactly as the client wrote it.</summary>
    public Uri Of(Uri replica, string pathAndQuery)
    {
        if (_kept.TryGetValue((replica, pathAndQuery), out var known))
            return known;

        // Put together as text: a path such as //host/x resolved against the base would go to another host.
        var path = pathAndQuery.StartsWith('/') ? pathAndQuery : "/" + pathAndQuery;
        var address = new Uri(string.Concat(replica.AbsoluteUri.AsSpan().TrimEnd('/'), path), in AsIs);

        // Clients choose paths, and replicas come and go: what has collected is dropped now and then.
        // HTTP+SSE has an address per session.
        if (!pathAndQuery.Contains('?', StringComparison.Ordinal) && _kept.TryAdd((replica, pathAndQuery), address) && Interlocked.Increment(ref _count) > MostKept)
        {
            _kept.Clear();
            Volatile.Write(ref _count, 0);
        }

        return address;
    }
}

using System.Collections.Concurrent;
using System.Text;
using Mcp.HighAvailability.Cluster;
using Mcp.HighAvailability.Limits;

namespace Mcp.HighAvailability.Relay.Upstream;

/// <summary>The HTTP client of a relay: calls by HTTP/1.1 on connections of its own, everything else by the library's client.</summary>
/// <remarks>It is for replicas of this cluster and for nothing else.</remarks>
internal sealed class ReplicaClient : IDisposable
{
    // Below the 130 s after which Kestrel closes idle connections: a request must not race with that.
    private static readonly TimeSpan MaxIdle = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan TrimInterval = TimeSpan.FromSeconds(15);

    private readonly ConcurrentDictionary<string, ReplicaConnections> _replicas = new(StringComparer.Ordinal);
    private readonly ReplicaDirectory _directory;
    private readonly RelayOptions _options;
    private readonly Descriptors _descriptors;
    private readonly TimeProvider _time;
    private readonly HttpMessageInvoker _library;
    private readonly ITimer _trim;

    public ReplicaClient(ReplicaDirectory directory, RelayOptions options, Descriptors descriptors, TimeProvider time)
    {
        (_directory, _options, _descriptors, _time) = (directory, options, descriptors, time);
        _trim = time.CreateTimer(static self => ((ReplicaClient)self!).Trim(), this, TrimInterval, TrimInterval);
        _library = new HttpMessageInvoker(new SocketsHttpHandler
        {
            UseCookies = false,
            AllowAutoRedirect = false,
            UseProxy = false,
            ActivityHeadersPropagator = null,
            ConnectTimeout = options.ConnectTimeout,
            EnableMultipleHttp2Connections = true, // a replica takes 100 streams on one
            ConnectCallback = (connection, cancellationToken) => CountedStream.ConnectAsync(connection.DnsEndPoint, descriptors, cancellationToken),
            PooledConnectionIdleTimeout = MaxIdle,
            // An abandoned stream is closed and not read to its end, which may never come.
            ResponseDrainTimeout = TimeSpan.FromMilliseconds(50),
            RequestHeaderEncodingSelector = static (_, _) => Encoding.UTF8,
        });
    }

    /// <summary>A call to a replica.</summary>
    /// <param name="target">The replica.</param>
    /// <param name="shared">Use HTTP/2.</param>
    /// <param name="lost">Ends when the directory gives the replica up; the call then breaks.</param>
    public ReplicaCall Call(RelayTarget target, bool shared, CancellationToken lost) =>
        shared || target.Address.Scheme != Uri.UriSchemeHttp || target.Address.AbsolutePath != "/"
            ? new LibraryCall(_library, target.Address, shared, lost)
            : ConnectionsOf(target, lost).Take();

    /// <inheritdoc/>
    public void Dispose()
    {
        _trim.Dispose();
        foreach (var (_, connections) in _replicas)
            connections.Close();
        _library.Dispose();
    }

    private ReplicaConnections ConnectionsOf(RelayTarget target, CancellationToken lost)
    {
        if (_replicas.TryGetValue(target.ReplicaId, out var known) && known.Address == target.Address)
            return known;
        var connections = new ReplicaConnections(target.Address, _options.ConnectTimeout, _descriptors, _time);
        var all = _replicas.AddOrUpdate(target.ReplicaId, connections, (_, other) => other.Address == target.Address ? other : connections);
        if (all != connections)
            return all;
        known?.Retire();
        lost.UnsafeRegister(
            _ =>
            {
                _replicas.TryRemove(KeyValuePair.Create(target.ReplicaId, connections));
                connections.Close();
            },
            null);
        return connections;
    }

    private void Trim()
    {
        foreach (var (replicaId, connections) in _replicas)
        {
            if (connections.Trim(MaxIdle) == 0 && _directory.Find(replicaId) is null && _replicas.TryRemove(KeyValuePair.Create(replicaId, connections)))
                connections.Close();
        }
    }
}

using System.Net;
using System.Net.Sockets;
using Mcp.HighAvailability.Storage;

namespace Mcp.HighAvailability.Cluster;

/// <summary>A replica that is asked by pings.</summary>
internal sealed class PingPeer
{
    private readonly Lock _gate = new();
    private volatile IPEndPoint? _endpoint;
    private Pong _last;

    public PingPeer(ReplicaInfo replica)
    {
        (Target, Key) = (PingMessage.TargetOf(replica.Id), PingMessage.KeyOf(replica.HopKey));
        if (replica.Address.IsLoopback)
            _endpoint = Endpoint4Or6(IPAddress.Loopback, replica.PingPort);
        else if (IPAddress.TryParse(replica.Address.DnsSafeHost, out var address))
            _endpoint = Endpoint4Or6(address, replica.PingPort);
        else
            _ = ResolveAsync(replica);
    }

    /// <inheritdoc cref="PingMessage.Target"/>
    public ulong Target { get; }

    public byte[] Key { get; }

    /// <summary>Where it is asked; <see langword="null"/> while its name is not resolved.</summary>
    public IPEndPoint? Endpoint => _endpoint;

    public Pong Last
    {
        get
        {
            lock (_gate)
                return _last;
        }
    }

    public void Answered(bool starved, bool storeAway)
    {
        lock (_gate)
            _last = new(_last.Count + 1, starved, storeAway);
    }

    // The socket takes both families as one.
    private static IPEndPoint Endpoint4Or6(IPAddress address, int port) =>
        new(Socket.OSSupportsIPv6 && address.AddressFamily == AddressFamily.InterNetwork ? address.MapToIPv6() : address, port);

    private async Task ResolveAsync(ReplicaInfo replica)
    {
        try
        {
            if (await Dns.GetHostAddressesAsync(replica.Address.DnsSafeHost) is [var address, ..])
                _endpoint = Endpoint4Or6(address, replica.PingPort);
        }
        catch (Exception e) when (e is SocketException or ArgumentException)
        {
            // Not asked: it is judged without pings.
        }
    }
}

using System.Net;
using System.Net.Sockets;

namespace Mcp.HighAvailability.Limits;

/// <summary>A connection to a replica, counted until it is disposed.</summary>
internal sealed class CountedStream : NetworkStream
{
    private readonly Descriptors _descriptors;
    private int _disposed;

    private CountedStream(Socket socket, Descriptors descriptors) : base(socket, ownsSocket: true) => _descriptors = descriptors;

    /// <summary>Connects, as far as there are descriptors left.</summary>
    /// <exception cref="SocketException">There is no connection; <see cref="SocketError.TooManyOpenSockets"/>: too few descriptors are left.</exception>
    public static async ValueTask<Stream> ConnectAsync(DnsEndPoint to, Descriptors descriptors, CancellationToken cancellationToken)
    {
        if (!descriptors.TryOpen())
            throw new SocketException((int)SocketError.TooManyOpenSockets);
        Socket? socket = null;
        try
        {
            socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            await socket.ConnectAsync(to, cancellationToken).ConfigureAwait(false);
            return new CountedStream(socket, descriptors);
        }
        catch
        {
            socket?.Dispose();
            descriptors.Closed();
            throw;
        }
    }

    protected override void Dispose(bool disposing)
    {
        base.Dispose(disposing);
        if (Interlocked.Exchange(ref _disposed, 1) == 0)
            _descriptors.Closed();
    }
}

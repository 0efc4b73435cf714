using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using Mcp.HighAvailability.Storage;
using Microsoft.Extensions.Logging;

namespace Mcp.HighAvailability.Cluster;

/// <summary>
/// Tells peers that this process is alive, and hears it of them, also while thread pools are starved: one UDP socket, served by a thread of its own.
/// </summary>
/// <remarks>
/// <para>A starved process answers HTTP late and beats late, and would be taken for lost. Its ping thread answers all the same. A process that was stopped, or
/// whose host has vanished, answers nothing.</para>
/// <para>Pings only ever keep a replica from being lost. Where no datagram arrives (a firewall, a mapped port) replicas are judged without them.</para>
/// <para>Bounded: one datagram is in work at a time, answers are as long as questions, and a question that is not signed gets none.</para>
/// </remarks>
/// <param name="time">The clock.</param>
/// <param name="storeAway">Whether this process cannot reach the store. Called on the ping thread.</param>
/// <param name="lag">How late the thread pool is, see <see cref="PoolLag.Look"/>. Called on the ping thread.</param>
/// <param name="maxLag">From this lag on no question is answered: such a process is as good as dead.</param>
/// <param name="logger">For faults.</param>
internal sealed partial class PingSocket(TimeProvider time, Func<bool> storeAway, Func<TimeSpan> lag, TimeSpan maxLag, ILogger logger) : IDisposable
{
    /// <summary>From this lag on the thread pool is starved.</summary>
    public static readonly TimeSpan StarvedFrom = TimeSpan.FromMilliseconds(50);

    // Older answers were waiting in a process that stood still.
    private static readonly TimeSpan MaxAge = TimeSpan.FromSeconds(1);
    private const int MaxPeers = 256;
    private const int StackBytes = 256 * 1024;

    private readonly ILogger _logger = logger;
    private readonly ulong _token = BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(sizeof(ulong)));
    private readonly ConcurrentDictionary<string, PingPeer> _peers = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<ulong, PingPeer> _byTarget = new();
    private readonly Lock _gate = new();
    private Socket? _socket;
    private (ulong Target, byte[] Key)? _self;
    private volatile bool _disposed;

    /// <summary>Answers questions to a replica of this process from now on.</summary>
    /// <returns>The port that it is asked at: that of its address if it is free, or zero if there is none.</returns>
    public int Listen(ReplicaInfo self)
    {
        lock (_gate)
        {
            if (_disposed || self.HopKey.Length == 0)
                return 0;
            _self ??= (PingMessage.TargetOf(self.Id), PingMessage.KeyOf(self.HopKey));
            return Open(self.Address.IsLoopback, self.Address.Port);
        }
    }

    /// <summary>Asks a replica. Never waits.</summary>
    public void Ask(ReplicaInfo replica)
    {
        if (replica.PingPort == 0 || replica.HopKey.Length == 0 || _disposed)
            return;
        var peer = Peer(replica);
        if (peer.Endpoint is not { } endpoint)
            return;
        lock (_gate)
        {
            if (Open(IPAddress.IsLoopback(endpoint.Address), port: 0) == 0)
                return;
        }

        Span<byte> datagram = stackalloc byte[PingMessage.Length];
        new PingMessage(PingKind.Question, _token, time.GetTimestamp(), peer.Target).Write(datagram, peer.Key);
        Send(datagram, endpoint);
    }

    /// <summary>What a replica has answered.</summary>
    public Pong Last(string replicaId) => _peers.TryGetValue(replicaId, out var peer) ? peer.Last : default;

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (_gate)
        {
            _disposed = true;
            _socket?.Dispose(); // ends the thread
        }
    }

    private PingPeer Peer(ReplicaInfo replica)
    {
        if (_peers.TryGetValue(replica.Id, out var peer))
            return peer;
        if (_peers.Count >= MaxPeers)
        {
            _peers.Clear();
            _byTarget.Clear();
        }

        peer = _peers.GetOrAdd(replica.Id, new PingPeer(replica));
        return _byTarget[peer.Target] = peer;
    }

    // The caller holds the lock. A process that asks others first is bound to any port.
    private int Open(bool loopback, int port)
    {
        if (_disposed)
            return 0;
        if (_socket is null)
        {
            try
            {
                _socket = Bind(loopback, port) ?? Bind(loopback, 0);
                if (_socket is not null)
                    new Thread(Receive, StackBytes) { IsBackground = true, Name = "MCP HA pings" }.Start();
            }
            catch (Exception e) when (e is SocketException or OutOfMemoryException or ThreadStartException)
            {
                _socket?.Dispose();
                _socket = null;
                LogNotOpened(e);
            }
        }

        return (_socket?.LocalEndPoint as IPEndPoint)?.Port ?? 0;
    }

    private static Socket? Bind(bool loopback, int port)
    {
        var socket = Socket.OSSupportsIPv6
            ? new Socket(AddressFamily.InterNetworkV6, SocketType.Dgram, ProtocolType.Udp) { DualMode = true }
            : new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        try
        {
            var (any, own) = Socket.OSSupportsIPv6 ? (IPAddress.IPv6Any, IPAddress.Loopback.MapToIPv6()) : (IPAddress.Any, IPAddress.Loopback);
            socket.Bind(new IPEndPoint(loopback ? own : any, port));
            return socket;
        }
        catch (SocketException) when (port != 0)
        {
            socket.Dispose();
            return null;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    // The thread. Plain blocking calls: nothing here waits for the thread pool.
    private void Receive()
    {
        var socket = _socket!;
        var buffer = new byte[PingMessage.Length + 1];
        EndPoint any = new IPEndPoint(socket.AddressFamily == AddressFamily.InterNetworkV6 ? IPAddress.IPv6Any : IPAddress.Any, 0);
        while (!_disposed)
        {
            try
            {
                var from = any;
                var length = socket.ReceiveFrom(buffer, ref from);
                if (PingMessage.Read(buffer.AsSpan(0, length)) is { } message)
                    Handle(message, buffer.AsSpan(0, length), (IPEndPoint)from);
            }
            catch (SocketException) when (!_disposed)
            {
                Thread.Yield(); // a datagram that is too long, or an answer that found no socket
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                return;
            }
            catch (Exception e)
            {
                LogFailed(e);
            }
        }
    }

    private void Handle(PingMessage message, Span<byte> datagram, IPEndPoint from)
    {
        if (message.Kind == PingKind.Answer)
        {
            if (message.Token == _token && time.GetElapsedTime(message.Clock) < MaxAge &&
                _byTarget.TryGetValue(message.Target, out var peer) && PingMessage.IsSigned(datagram, peer.Key))
            {
                peer.Answered(message.Starved, message.StoreAway);
            }

            return;
        }

        if (_self is { } self && message.Target == self.Target && PingMessage.IsSigned(datagram, self.Key) && lag() is var late && late < maxLag)
        {
            (message with { Kind = PingKind.Answer, Starved = late >= StarvedFrom, StoreAway = storeAway() }).Write(datagram, self.Key);
            Send(datagram, from);
        }
    }

    private void Send(ReadOnlySpan<byte> datagram, IPEndPoint to)
    {
        try
        {
            _socket?.SendTo(datagram, SocketFlags.None, to);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // As a datagram that is lost.
        }
    }

    [LoggerMessage(Level = LogLevel.Warning,
        Message = "No socket for pings. Replicas with a starved thread pool may be taken for lost. Raise the limit of file descriptors if it is reached.")]
    private partial void LogNotOpened(Exception exception);

    [LoggerMessage(Level = LogLevel.Error, Message = "A ping could not be handled. The next one is.")]
    private partial void LogFailed(Exception exception);
}

using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Mcp.HighAvailability.Limits;

namespace Mcp.HighAvailability.Relay.Upstream;

/// <summary>The connections to one replica at one address. When the directory gives the replica up, all of them break.</summary>
internal sealed class ReplicaConnections
{
    private const int MaxIdle = 1024;

    private readonly Lock _gate = new();
    private readonly Stack<ReplicaConnection> _idle = new();
    private readonly HashSet<ReplicaConnection> _open = [];
    private readonly Uri _address;
    private readonly TimeSpan _connectTimeout;
    private readonly Descriptors _descriptors;
    private readonly TimeProvider _time;
    private bool _closed;

    public ReplicaConnections(Uri address, TimeSpan connectTimeout, Descriptors descriptors, TimeProvider time)
    {
        (_address, _connectTimeout, _descriptors, _time) = (address, connectTimeout, descriptors, time);
        var host = address.HostNameType == UriHostNameType.IPv6 ? address.Host : address.IdnHost;
        Host = address.IsDefaultPort ? host : $"{host}:{address.Port.ToString(CultureInfo.InvariantCulture)}";
    }

    /// <summary>The replica's address.</summary>
    public Uri Address => _address;

    /// <summary>Value of the <c>Host</c> header.</summary>
    public string Host { get; }

    /// <summary>Connections that serve no call.</summary>
    public int Idle
    {
        get
        {
            lock (_gate)
                return _idle.Count;
        }
    }

    /// <summary>A connection for one call: the one that was used last, or one that connects when it sends.</summary>
    public ReplicaConnection Take()
    {
        while (true)
        {
            ReplicaConnection? connection;
            lock (_gate)
                _ = _idle.TryPop(out connection);
            if (connection is null)
                return new ReplicaConnection(this);
            if (connection.IsUsable)
                return connection;
            connection.Close();
        }
    }

    /// <summary>Keeps a connection for the next call. <see langword="false"/>: it is not wanted any more.</summary>
    public bool TryReturn(ReplicaConnection connection)
    {
        connection.LastUsed = _time.GetTimestamp();
        lock (_gate)
        {
            if (_closed || _idle.Count >= MaxIdle)
                return false;
            _idle.Push(connection);
            return true;
        }
    }

    /// <summary>Connects, as far as there are descriptors left.</summary>
    public async ValueTask<(Socket? Socket, SendOutcome Outcome)> ConnectAsync(ReplicaConnection connection, CancellationToken cancellationToken)
    {
        if (!_descriptors.TryOpen())
            return (null, SendOutcome.NotConnected);
        using var timeout = new CancellationTokenSource(_connectTimeout, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellationToken);
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        SendOutcome outcome;
        try
        {
            await socket.ConnectAsync(new DnsEndPoint(_address.IdnHost, _address.Port), either.Token);
            lock (_gate)
            {
                if (!_closed)
                {
                    _open.Add(connection);
                    return (socket, SendOutcome.Answered);
                }
            }

            outcome = SendOutcome.NotConnected;
        }
        catch (OperationCanceledException)
        {
            outcome = timeout.IsCancellationRequested ? SendOutcome.ConnectTimeout : SendOutcome.NotConnected;
        }
        catch (SocketException e)
        {
            outcome = IsRefusal(e.SocketErrorCode) ? SendOutcome.Refused : SendOutcome.NotConnected;
        }

        socket.Dispose();
        _descriptors.Closed();
        return (null, outcome);
    }

    /// <summary>A connection has closed.</summary>
    public void Closed(ReplicaConnection connection)
    {
        lock (_gate)
            _open.Remove(connection);
        _descriptors.Closed();
    }

    /// <summary>Closes connections that have been idle for so long. Returns the number of those that stay.</summary>
    public int Trim(TimeSpan idle)
    {
        List<ReplicaConnection> old = [];
        int stay;
        lock (_gate)
        {
            var all = _idle.ToArray(); // the last used one first
            stay = Array.FindIndex(all, connection => _time.GetElapsedTime(connection.LastUsed) >= idle);
            if (stay < 0)
                return all.Length;
            old.AddRange(all[stay..]);
            _idle.Clear();
            foreach (var connection in all[..stay].Reverse())
                _idle.Push(connection);
        }

        old.ForEach(static connection => connection.Close());
        return stay;
    }

    /// <summary>Closes the idle connections, and all others after their calls.</summary>
    public void Retire()
    {
        ReplicaConnection[] idle;
        lock (_gate)
        {
            _closed = true;
            idle = [.. _idle];
            _idle.Clear();
        }

        foreach (var connection in idle)
            connection.Close();
    }

    /// <summary>Closes the idle connections and breaks all others.</summary>
    public void Close()
    {
        Retire();
        ReplicaConnection[] open;
        lock (_gate)
            open = [.. _open];
        foreach (var connection in open)
            connection.Abort(); // its call closes it
    }

    private static bool IsRefusal(SocketError error) =>
        error is SocketError.ConnectionRefused or SocketError.HostUnreachable or SocketError.HostDown or SocketError.NetworkUnreachable;
}

using System.Net;
using System.Net.Sockets;
using Mcp.HighAvailability.Lab.Processes;

namespace Mcp.HighAvailability.Lab.Chaos.Network;

/// <summary>
/// A stretch of network on the loopback address that can be cut: who connects to it is connected to the target. It adds a hop of its own to
/// everything that passes, so it is there only where something will be cut.
/// </summary>
/// <remarks>
/// Bytes keep their order, and both ends learn of the other's end as they would without it: an orderly end, a reset. While it holds, a byte, a
/// new connection and the end of one wait alike.
/// </remarks>
internal sealed class Link : IAsyncDisposable
{
    private readonly Lock _sync = new();
    private readonly HashSet<LinkConnection> _connections = [];
    private readonly CancellationTokenSource _ending = new();
    private readonly TcpListener _listener;
    private readonly Task _accepting;
    private readonly int _target;
    private TaskCompletionSource _passing = Completed();
    private bool _resetting;

    /// <summary>Listens from now on.</summary>
    /// <param name="target">Port on the loopback address that it leads to; nothing needs to listen there yet.</param>
    /// <param name="port">Port at which it is entered; by default a free one.</param>
    public Link(int target, int? port = null)
    {
        _target = target;
        Port = port ?? Ports.Free();
        _listener = new TcpListener(IPAddress.Loopback, Port);
        _listener.Start(512);
        _accepting = AcceptAsync();
    }

    /// <summary>Port on the loopback address at which it is entered.</summary>
    public int Port { get; }

    /// <summary>Cuts it.</summary>
    public void Sever(Cut how)
    {
        List<LinkConnection> broken = [];
        lock (_sync)
        {
            if (how == Cut.Reset)
            {
                _resetting = true;
                broken.AddRange(_connections);
            }
            else if (_passing.Task.IsCompleted)
            {
                _passing = new(TaskCreationOptions.RunContinuationsAsynchronously);
            }
        }

        foreach (var connection in broken)
            connection.Reset();
    }

    /// <summary>Ends the cut; what was held goes on its way.</summary>
    public void Restore()
    {
        lock (_sync)
        {
            _resetting = false;
            _passing.TrySetResult();
        }
    }

    /// <summary>Ends it for good: its port refuses connections, and open ones are reset.</summary>
    public void Close()
    {
        _listener.Stop();
        Sever(Cut.Reset);
        _ending.Cancel();
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        Close();
        await _accepting;
    }

    /// <summary>Completes as soon as bytes may pass.</summary>
    internal async ValueTask PassAsync()
    {
        // A second cut may follow before the waiter of the first has run.
        while (Passing() is { IsCompleted: false } passing)
            await passing.WaitAsync(_ending.Token);
    }

    internal void Remove(LinkConnection connection)
    {
        lock (_sync)
            _connections.Remove(connection);
    }

    private Task Passing()
    {
        lock (_sync)
            return _passing.Task;
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                var connection = new LinkConnection(this, await _listener.AcceptSocketAsync(_ending.Token));
                bool reset;
                lock (_sync)
                {
                    reset = _resetting;
                    if (!reset)
                        _connections.Add(connection);
                }

                if (reset)
                    connection.Reset();
                else
                    _ = connection.RunAsync(_target);
            }
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or InvalidOperationException)
        {
            // The link has ended.
        }
    }

    private static TaskCompletionSource Completed()
    {
        var passing = new TaskCompletionSource();
        passing.SetResult();
        return passing;
    }
}

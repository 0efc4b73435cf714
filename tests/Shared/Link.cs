using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace McpHa.Tests;

/// <summary>The network before one server. A test cuts it: packets vanish without an error, and when it heals they arrive late.</summary>
internal sealed class Link : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stopped = new();
    private readonly ConcurrentBag<Socket> _sockets = [];
    private readonly Task _accepting;
    private volatile TaskCompletionSource _open = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public Link()
    {
        _open.SetResult();
        _listener.Start();
        _accepting = AcceptAsync();
    }

    /// <summary>Where others connect to.</summary>
    public Uri Address => new($"http://{_listener.LocalEndpoint}");

    /// <summary>The server behind, asked for at each connection.</summary>
    public required Func<Uri> Target { get; set; }

    /// <summary>First line of everything that was sent to the server, whether it arrived or not.</summary>
    public ConcurrentQueue<string> Seen { get; } = new();

    public void Cut() => _open = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public void Heal() => _open.TrySetResult();

    public async ValueTask DisposeAsync()
    {
        _listener.Stop();
        await _stopped.CancelAsync();
        foreach (var socket in _sockets)
            socket.Dispose();
        await _accepting;
    }

    private async Task AcceptAsync()
    {
        while (!_stopped.IsCancellationRequested)
        {
            try
            {
                _ = ServeAsync(await _listener.AcceptSocketAsync(_stopped.Token));
            }
            catch (Exception e) when (e is SocketException or OperationCanceledException or ObjectDisposedException)
            {
                return;
            }
        }
    }

    private async Task ServeAsync(Socket client)
    {
        var server = new Socket(SocketType.Stream, ProtocolType.Tcp);
        _sockets.Add(client);
        _sockets.Add(server);
        try
        {
            var target = Target();
            await server.ConnectAsync(target.Host, target.Port, _stopped.Token);
            await Task.WhenAny(CarryAsync(client, server, notes: true), CarryAsync(server, client, notes: false));
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException or ObjectDisposedException)
        {
            // One of both has gone.
        }

        // An end is a packet, too.
        await _open.Task.WaitAsync(_stopped.Token).ContinueWith(_ => { }, TaskScheduler.Default);
        client.Dispose();
        server.Dispose();
    }

    private async Task CarryAsync(Socket from, Socket to, bool notes)
    {
        var buffer = new byte[16 * 1024];
        int read;
        while ((read = await from.ReceiveAsync(buffer, _stopped.Token)) > 0)
        {
            if (notes)
                Seen.Enqueue(Encoding.ASCII.GetString(buffer, 0, read).Split('\r')[0]);
            await _open.Task.WaitAsync(_stopped.Token);
            await to.SendAsync(buffer.AsMemory(0, read), _stopped.Token);
        }
    }
}

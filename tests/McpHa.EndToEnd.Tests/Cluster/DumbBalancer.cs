using System.Net;
using System.Net.Sockets;

namespace McpHa.Tests.Cluster;

/// <summary>
/// Passes on TCP connections, to one server after the other, and knows nothing of HTTP or sessions: what a plain load balancer does.
/// A server that refuses is passed over.
/// </summary>
internal sealed class DumbBalancer : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stopping = new();
    private readonly Func<Uri[]> _servers;
    private readonly Task _accepting;
    private int _turn;

    public DumbBalancer(Func<Uri[]> servers)
    {
        _servers = servers;
        _listener.Start();
        _accepting = AcceptAsync();
    }

    public Uri Endpoint => new($"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}/mcp");

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        _listener.Stop();
        await _accepting.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stopping.Dispose();
    }

    private async Task AcceptAsync()
    {
        while (true)
            _ = PassAsync(await _listener.AcceptTcpClientAsync(_stopping.Token));
    }

    private async Task PassAsync(TcpClient client)
    {
        using (client)
        using (var server = await ConnectAsync())
        {
            if (server is null)
                return;
            try
            {
                // Either side's end is the end of the connection.
                var (near, far) = (client.GetStream(), server.GetStream());
                await await Task.WhenAny(near.CopyToAsync(far, _stopping.Token), far.CopyToAsync(near, _stopping.Token));
            }
            catch (Exception e) when (e is IOException or OperationCanceledException)
            {
            }
        }
    }

    private async Task<TcpClient?> ConnectAsync()
    {
        var servers = _servers();
        for (var attempt = 0; attempt < servers.Length; attempt++)
        {
            var url = servers[(Interlocked.Increment(ref _turn) & int.MaxValue) % servers.Length];
            var server = new TcpClient();
            try
            {
                await server.ConnectAsync(url.Host, url.Port, _stopping.Token);
                return server;
            }
            catch (SocketException)
            {
                server.Dispose();
            }
        }

        return null;
    }
}

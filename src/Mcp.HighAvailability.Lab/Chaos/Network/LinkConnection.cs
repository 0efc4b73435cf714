using System.Net;
using System.Net.Sockets;

namespace Mcp.HighAvailability.Lab.Chaos.Network;

/// <summary>One connection over a <see cref="Link"/>.</summary>
internal sealed class LinkConnection(Link link, Socket client)
{
    private const int BufferSize = 32 * 1024;

    private readonly Socket _target = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);

    /// <summary>Carries bytes both ways until both ends are done; never throws.</summary>
    public async Task RunAsync(int target)
    {
        try
        {
            await link.PassAsync();
            client.NoDelay = _target.NoDelay = true;
            await _target.ConnectAsync(IPAddress.Loopback, target);
            await Task.WhenAll(PumpAsync(client, _target), PumpAsync(_target, client));
            client.Dispose();
            _target.Dispose();
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException or OperationCanceledException)
        {
            // One end is gone, or refused: so is the other.
            Reset();
        }
        finally
        {
            link.Remove(this);
        }
    }

    /// <summary>Ends both sides with a reset.</summary>
    public void Reset()
    {
        foreach (var socket in (Socket[])[client, _target])
        {
            try
            {
                socket.LingerState = new LingerOption(enable: true, seconds: 0);
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                // Closed already.
            }

            socket.Dispose();
        }
    }

    private async Task PumpAsync(Socket from, Socket to)
    {
        var buffer = new byte[BufferSize];
        try
        {
            int read;
            while ((read = await from.ReceiveAsync(buffer)) > 0)
            {
                await link.PassAsync();
                for (var sent = 0; sent < read;)
                    sent += await to.SendAsync(buffer.AsMemory(sent, read - sent));
            }

            await link.PassAsync();
            to.Shutdown(SocketShutdown.Send);
        }
        catch (SocketException)
        {
            // A reset is news as well, which waits as long as any other. The other direction ends with it.
            await link.PassAsync();
            Reset();
        }
    }
}

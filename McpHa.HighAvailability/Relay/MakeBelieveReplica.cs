using System.Net;
using System.Net.Sockets;
using McpHa.HighAvailability.Cluster;

namespace McpHa.HighAvailability.Relay;

/// <summary>What a rehearsal relays to: answers each connection with the next of some prepared responses, then listens no more.</summary>
internal sealed class MakeBelieveReplica : IDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);

    /// <param name="id">Its name in the directory.</param>
    /// <param name="responses">What it sends, connection by connection, and whether it breaks the connection afterwards, as a death does.</param>
    public MakeBelieveReplica(string id, params (byte[] Bytes, bool Breaks)[] responses)
    {
        _listener.Start();
        Info = new ReplicaInfo(id, new Uri($"http://{_listener.LocalEndpoint}"), false, 0, 0, default, "", 0);
        _ = ServeAsync(responses);
    }

    public ReplicaInfo Info { get; }

    public void Dispose() => _listener.Dispose();

    private async Task ServeAsync((byte[] Bytes, bool Breaks)[] responses)
    {
        try
        {
            var request = new byte[4096];
            for (var i = 0; i < responses.Length; i++)
            {
                using var client = await _listener.AcceptSocketAsync().ConfigureAwait(false);
                if (i == responses.Length - 1)
                    _listener.Stop();
                await client.ReceiveAsync(request).ConfigureAwait(false);
                await client.SendAsync(responses[i].Bytes).ConfigureAwait(false);
                if (responses[i].Breaks)
                    client.Shutdown(SocketShutdown.Both);
                else
                    await client.ReceiveAsync(request).ConfigureAwait(false); // until the relay has finished with it
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The rehearsal is over.
        }
    }
}

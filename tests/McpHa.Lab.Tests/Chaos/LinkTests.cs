using System.Net;
using System.Net.Sockets;
using Mcp.HighAvailability.Lab.Chaos.Network;

namespace McpHa.Tests.Chaos;

/// <summary>A stretch of network that can be cut.</summary>
[Trait("Category", "Quick")]
public sealed class LinkTests : IAsyncLifetime
{
    private readonly TcpListener _target = new(IPAddress.Loopback, 0);
    private readonly List<TcpClient> _clients = [];
    private Link _link = null!;

    public ValueTask InitializeAsync()
    {
        _target.Start();
        _link = new Link(((IPEndPoint)_target.LocalEndpoint).Port);
        return ValueTask.CompletedTask;
    }

    public async ValueTask DisposeAsync()
    {
        await _link.DisposeAsync();
        _clients.ForEach(client => client.Dispose());
        _target.Stop();
    }

    [Fact]
    public async Task It_carries_both_ways_and_tells_of_an_orderly_end()
    {
        var (client, server) = await PairAsync();

        await client.WriteAsync("ping"u8.ToArray());
        Assert.Equal("ping", await ReadAsync(server, 4));
        await server.WriteAsync("pong"u8.ToArray());
        Assert.Equal("pong", await ReadAsync(client, 4));

        client.Socket.Shutdown(SocketShutdown.Send);
        Assert.Equal(0, await server.ReadAsync(new byte[1]));
        await server.WriteAsync("late"u8.ToArray());
        Assert.Equal("late", await ReadAsync(client, 4));
    }

    [Fact]
    public async Task What_is_sent_while_it_holds_arrives_afterwards_in_order()
    {
        var (client, server) = await PairAsync();

        _link.Sever(Cut.Hold);
        await client.WriteAsync("one"u8.ToArray());
        var reading = ReadAsync(server, 6);
        await client.WriteAsync("two"u8.ToArray());
        client.Socket.Shutdown(SocketShutdown.Send);
        // A second connection overtakes nothing: it gets through to the end of the link, and no further.
        var (_, accepting) = await ConnectAsync();
        Assert.False(reading.IsCompleted);
        Assert.False(accepting.IsCompleted);

        _link.Restore();

        Assert.Equal("onetwo", await reading);
        Assert.Equal(0, await server.ReadAsync(new byte[1]));
        await accepting.WaitAsync(Wait.Limit);
    }

    [Fact]
    public async Task A_reset_ends_all_connections_and_every_new_one_until_it_is_over()
    {
        var (client, server) = await PairAsync();

        _link.Sever(Cut.Reset);

        await Assert.ThrowsAsync<IOException>(async () => await client.ReadExactlyAsync(new byte[1]));
        await Assert.ThrowsAsync<IOException>(async () => await server.ReadExactlyAsync(new byte[1]));
        await AssertResetAsync();

        _link.Restore();
        await PairAsync();
    }

    [Fact]
    public async Task A_dead_target_is_a_reset()
    {
        _target.Stop();

        await AssertResetAsync();
    }

    [Fact]
    public async Task After_its_end_connections_are_refused_and_another_one_can_take_its_port()
    {
        var (client, _) = await PairAsync();

        _link.Close();

        await Assert.ThrowsAsync<IOException>(async () => await client.ReadExactlyAsync(new byte[1]));
        using var late = new TcpClient();
        await Assert.ThrowsAsync<SocketException>(async () => await late.ConnectAsync(IPAddress.Loopback, _link.Port));
        await using var next = new Link(1, _link.Port);
    }

    // The reset may come before the client has looked for the first time, or after.
    private async Task AssertResetAsync()
    {
        using var client = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        var reset = await Assert.ThrowsAsync<SocketException>(async () =>
        {
            await client.ConnectAsync(IPAddress.Loopback, _link.Port);
            Assert.Equal(0, await client.ReceiveAsync(new byte[1]).WaitAsync(Wait.Limit));
        });
        Assert.Equal(SocketError.ConnectionReset, reset.SocketErrorCode);
    }

    private async Task<(NetworkStream Client, NetworkStream Server)> PairAsync()
    {
        var (client, accepting) = await ConnectAsync();
        var server = await accepting.WaitAsync(Wait.Limit);
        _clients.Add(server);
        return (client.GetStream(), server.GetStream());
    }

    private async Task<(TcpClient Client, Task<TcpClient> Accepting)> ConnectAsync()
    {
        var accepting = _target.AcceptTcpClientAsync();
        var client = new TcpClient();
        _clients.Add(client);
        await client.ConnectAsync(IPAddress.Loopback, _link.Port);
        return (client, accepting);
    }

    private static async Task<string> ReadAsync(NetworkStream stream, int length)
    {
        var bytes = new byte[length];
        await stream.ReadExactlyAsync(bytes).AsTask().WaitAsync(Wait.Limit);
        return System.Text.Encoding.ASCII.GetString(bytes);
    }
}

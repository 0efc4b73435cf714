using System.Net;
using System.Net.Sockets;
using System.Text;
using McpHa.Tests.Clients;
using McpHa.Tests.Cluster;

namespace McpHa.Tests;

/// <summary>Processes that are asked for more than they have: memory here.</summary>
[Collection(ClusterCollection.Name)] // after the others, and not beside them
public sealed class ResourceTests
{
    private const int BodyBytes = 4 * 1024 * 1024;

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_process_with_a_small_heap_survives_bodies_that_are_promised_and_bodies_that_come(bool balancer)
    {
        Assert.SkipWhen(LabCluster.Unavailable is not null, LabCluster.Unavailable ?? "");
        await using var cluster = await LabCluster.StartAsync(new()
        {
            Replicas = 1,
            Restart = false,
            Environment = new Dictionary<string, string?> { ["DOTNET_GCHeapHardLimit"] = "0x12C00000" }, // 300 MB
        });
        var endpoint = balancer ? cluster.Endpoint : LabCluster.EndpointOf(cluster.State.Replicas[0]);
        using var client = new RawClient(endpoint);
        await client.InitializeAsync();

        var connections = new List<TcpClient>();
        for (var i = 0; i < 500; i++)
            connections.Add(await PromiseAsync(endpoint, 0));
        await client.CallAsync("beside-promises", "where_am_i");

        // All that fits is read, and the rest is refused with an answer.
        for (var i = 0; i < 60; i++)
            connections.Add(await PromiseAsync(endpoint, BodyBytes - 1));
        await Wait.UntilAsync(() => connections.Any(IsRefused), "a body to be refused");
        await client.CallAsync("beside-bodies", "where_am_i");
        connections.ForEach(connection => connection.Dispose());
        Assert.True(Processes.IsUp(cluster.State.Balancers[0].Pid));
        Assert.True(Processes.IsUp(cluster.State.Replicas[0].Pid));
    }

    private static async Task<TcpClient> PromiseAsync(Uri endpoint, int sent)
    {
        var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, endpoint.Port);
        await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes(
            $"POST {endpoint.AbsolutePath} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\nContent-Length: {BodyBytes}\r\n\r\n"));
        if (sent > 0)
            _ = SendAsync(client.GetStream(), sent);
        return client;
    }

    private static async Task SendAsync(NetworkStream stream, int bytes)
    {
        try
        {
            await stream.WriteAsync(new byte[bytes]);
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException)
        {
            // The other side has given the connection up.
        }
    }

    private static bool IsRefused(TcpClient connection)
    {
        var begin = new byte[12];
        return connection.Client.Available >= begin.Length
            && connection.Client.Receive(begin, SocketFlags.Peek) == begin.Length
            && begin.AsSpan().SequenceEqual("HTTP/1.1 503"u8);
    }
}

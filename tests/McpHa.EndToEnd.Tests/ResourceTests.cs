using System.Net;
using System.Net.Sockets;
using System.Text;
using McpHa.Tests.Clients;
using McpHa.Tests.Cluster;

namespace McpHa.Tests;

/// <summary>Processes that are asked for more than they have: memory and file descriptors.</summary>
[Collection(ClusterCollection.Name)] // after the others, and not beside them
public sealed class ResourceTests
{
    // A process takes about 300 itself, and keeps some in reserve.
    private const int Descriptors = 1000;
    private const int BodyBytes = 4 * 1024 * 1024;

    [Fact]
    public async Task A_process_with_a_small_heap_survives_bodies_that_are_promised_and_bodies_that_come()
    {
        Assert.SkipWhen(LabCluster.Unavailable is not null, LabCluster.Unavailable ?? "");
        await using var cluster = await LabCluster.StartAsync(new()
        {
            Replicas = 1,
            Restart = false,
            Environment = new Dictionary<string, string?> { ["DOTNET_GCHeapHardLimit"] = "0x12C00000" }, // 300 MB
        });
        await SurviveBodiesAsync(LabCluster.EndpointOf(cluster.State.Replicas[0]));
        await SurviveBodiesAsync(cluster.Endpoint);
        Assert.True(Processes.IsUp(cluster.State.Balancers[0].Pid));
        Assert.True(Processes.IsUp(cluster.State.Replicas[0].Pid));
    }

    private static async Task SurviveBodiesAsync(Uri endpoint)
    {
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
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_process_with_few_descriptors_refuses_streams_that_do_not_fit_and_serves_the_rest(bool balanced)
    {
        Assert.SkipWhen(LabCluster.Unavailable is not null, LabCluster.Unavailable ?? "");
        Assert.SkipUnless(OperatingSystem.IsLinux(), "other systems do not say how many descriptors a process has");
        await using var cluster = await LabCluster.StartAsync(new() { Replicas = 1, Restart = false, Descriptors = Descriptors });
        await RefuseStreamsAsync(balanced ? cluster.Endpoint : LabCluster.EndpointOf(cluster.State.Replicas[0]));
        Assert.True(Processes.IsUp(cluster.State.Balancers[0].Pid));
        Assert.True(Processes.IsUp(cluster.State.Replicas[0].Pid));
    }

    private static async Task RefuseStreamsAsync(Uri endpoint)
    {
        using var shared = new SocketsHttpHandler { UseProxy = false };
        using var caller = new RawClient(endpoint, shared);
        await caller.InitializeAsync();
        var streams = new List<RawResponse>();

        // Then on connections of their own, which are more than descriptors.
        var refused = await FillAsync(endpoint, shared, streams);
        var waiting = new List<TcpClient>();
        for (var i = 0; i < 300; i++)
            waiting.Add(await AskForStreamAsync(endpoint, caller.SessionId!));
        await Wait.UntilAsync(() => waiting.Any(IsRefused), "a stream to be refused on a connection of its own");
        Assert.Contains($"file descriptors ({Descriptors})", refused, StringComparison.Ordinal);

        // A stream takes one, in the balancer as well: streams share connections to replicas.
        Assert.InRange(streams.Count, 400, Descriptors);

        // What is open goes on.
        waiting.ForEach(connection => connection.Dispose());
        await Wait.UntilAsync(() => streams.All(stream => stream.Events.Any(e => e.Id is not null)), "every stream to begin");

        // As long as the connections that were in vain are not all closed, calls are refused, too, and have not run.
        var announced = "";
        await Wait.UntilAsync(
            async () =>
            {
                announced = (await caller.CallAsync($"beside-streams-{Guid.NewGuid()}", "announce", new { text = "still here" })).ToJsonString();
                return !announced.Contains("-32012", StringComparison.Ordinal);
            },
            "room for calls of open sessions");
        Assert.Contains("announced: still here", announced, StringComparison.Ordinal);
        await Wait.UntilAsync(() => streams.All(stream => stream.Events.Any(e => e.Announcement == "still here")), "the announcement on every stream");

        // And there is room again when streams have closed.
        streams.ForEach(stream => stream.Dispose());
        await Wait.UntilAsync(
            async () =>
            {
                using var again = await caller.GetAsync();
                return again.Status == HttpStatusCode.OK;
            },
            "room for new streams");
    }

    [Fact]
    public async Task A_client_that_does_not_read_holds_up_no_stream_that_shares_its_connection()
    {
        Assert.SkipWhen(LabCluster.Unavailable is not null, LabCluster.Unavailable ?? "");
        await using var cluster = await LabCluster.StartAsync(new() { Replicas = 1, Restart = false });
        using var shared = new SocketsHttpHandler { UseProxy = false };
        using var silent = new RawClient(cluster.Endpoint, shared);
        await silent.InitializeAsync();
        using var stalled = await AskForStreamAsync(cluster.Endpoint, silent.SessionId!);
        using var reader = new RawClient(cluster.Endpoint, shared);
        await reader.InitializeAsync();
        using var stream = await reader.GetAsync();
        await stream.EventAsync(e => e.Id is not null, "the stream to begin");

        // More than every buffer on the way to the silent client holds.
        var text = new string('x', 200_000);
        for (var i = 0; i < 100; i++)
            await reader.CallAsync($"announce-{i}", "announce", new { text = text + i });
        await stream.EventAsync(e => e.Announcement?.EndsWith("x99", StringComparison.Ordinal) == true, "the last announcement");
    }

    // Opens sessions with a stream each until that is refused; returns the refusal.
    private static async Task<string> FillAsync(Uri endpoint, SocketsHttpHandler shared, List<RawResponse> streams)
    {
        while (streams.Count < Descriptors)
        {
            var client = new RawClient(endpoint, shared);
            using var opened = await client.PostAsync(RawClient.Request(0, "initialize", new
            {
                protocolVersion = "2025-11-25", capabilities = new { }, clientInfo = new { name = "raw-test", version = "1.0.0" },
            }));
            if (opened.Status == HttpStatusCode.ServiceUnavailable)
                return (await opened.AnswerAsync()).ToJsonString();
            Assert.Equal(HttpStatusCode.OK, opened.Status);
            client.SessionId = opened.Header("Mcp-Session-Id");
            using (await client.PostAsync("""{"jsonrpc":"2.0","method":"notifications/initialized"}"""))
            {
            }

            var stream = await client.GetAsync();
            if (stream.Status == HttpStatusCode.ServiceUnavailable)
            {
                using (stream)
                    return (await stream.AnswerAsync()).ToJsonString();
            }

            Assert.Equal(HttpStatusCode.OK, stream.Status);
            streams.Add(stream);
        }

        return "";
    }

    private static async Task<TcpClient> AskForStreamAsync(Uri endpoint, string session)
    {
        var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, endpoint.Port);
        await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes(
            $"GET {endpoint.AbsolutePath} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\nMcp-Session-Id: {session}\r\n\r\n"));
        return client;
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

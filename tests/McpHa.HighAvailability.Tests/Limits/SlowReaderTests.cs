using System.Net.Sockets;
using System.Text;

namespace McpHa.Tests;

/// <summary>A client that stops reading costs bounded memory, and delays neither its tool nor other clients.</summary>
public sealed class SlowReaderTests
{
    [Theory]
    [InlineData(0)] // at the owner
    [InlineData(1)] // through a peer
    public async Task A_reader_that_stops_delays_neither_the_tool_nor_another_session(int asked)
    {
        await using var cluster = await InProcessCluster.StartAsync();
        using var slow = await cluster.ConnectAsync();
        using var other = await cluster.ConnectAsync();
        var large = new string('x', 64 * 1024);
        var before = 0L;
        cluster.Tool.Body = async run =>
        {
            if (run.Argument != "much")
                return run.Argument;
            await run.ProgressAsync(0);
            before = GC.GetTotalMemory(forceFullCollection: true);
            for (var n = 0; n < 1_000; n++) // 64 MB; the client reads none of it
                await run.LogAsync(large);
            return "done";
        };

        using var socket = new TcpClient("127.0.0.1", cluster[asked].Endpoint.Port) { ReceiveBufferSize = 4096 };
        var body = slow.Call("again", "much", progress: true).ToJsonString();
        await socket.GetStream().WriteAsync(Encoding.ASCII.GetBytes(
            $"POST /mcp HTTP/1.1\r\nHost: localhost\r\nAccept: application/json, text/event-stream\r\nContent-Type: application/json\r\nMcp-Session-Id: {slow.SessionId}\r\nMCP-Protocol-Version: 2025-11-25\r\nContent-Length: {body.Length}\r\n\r\n{body}"));
        await Wait.UntilAsync(() => cluster.Tool.Runs == 1, "the call to run");

        for (var n = 0; n < 20; n++)
            Assert.Equal("x", await other.CallAsync(cluster[asked], "once", "x"));
        await Wait.UntilAsync(() => cluster[0].Session(slow.SessionId!)!.CallsInFlight.Count == 0, "the tool to finish although the client does not read");

        // The journal keeps 8 MiB of a session by default, the in-memory store a copy of it.
        var grown = GC.GetTotalMemory(forceFullCollection: true) - before;
        Assert.True(grown < 40 * 1024 * 1024, $"{grown >> 20} MB are held for a client that does not read");
    }
}

using System.Net;
using System.Net.Sockets;
using System.Text;

namespace McpHa.Tests;

/// <summary>A real Redis Cluster: three primaries that share the hash slots. The address is that of the first.</summary>
public sealed class RedisCluster() : RedisServer(NodeArguments())
{
    private static readonly string[] _slots = ["0 5460", "5461 10922", "10923 16383"];

    private readonly RedisServer[] _others = [new(NodeArguments()), new(NodeArguments())];

    private IEnumerable<RedisServer> Nodes => [this, .. _others];

    public override async ValueTask InitializeAsync()
    {
        await base.InitializeAsync();
        if (IsMissing)
            return;
        foreach (var node in _others)
            await node.InitializeAsync();
        foreach (var (node, slots) in Nodes.Zip(_slots))
            await AskAsync(node, $"CLUSTER ADDSLOTSRANGE {slots}", "+OK");
        foreach (var node in _others)
            await AskAsync(this, $"CLUSTER MEET 127.0.0.1 {node.Port} {BusPort(node)}", "+OK");
        await Wait.UntilAsync(
            async () =>
            {
                foreach (var node in Nodes)
                {
                    var info = await AskAsync(node, "CLUSTER INFO", "cluster_known_nodes:");
                    if (!info.Contains("cluster_state:ok", StringComparison.Ordinal) || !info.Contains("cluster_known_nodes:3", StringComparison.Ordinal))
                        return false;
                }

                return true;
            },
            "a Redis Cluster of three nodes");
    }

    /// <summary>Deletes all keys of all nodes.</summary>
    public async Task WipeAsync()
    {
        foreach (var node in Nodes)
            await AskAsync(node, "FLUSHALL", "+OK");
    }

    public override async ValueTask DisposeAsync()
    {
        foreach (var node in _others)
            await node.DisposeAsync();
        await base.DisposeAsync();
    }

    // The usual bus port, 10,000 above the other, may be beyond the last one.
    private static string[] NodeArguments() => ["--cluster-enabled", "yes", "--cluster-port", $"{FreePort()}"];

    private static string BusPort(RedisServer node) => node.MoreArguments[^1];

    private static async Task<string> AskAsync(RedisServer node, string command, string expected)
    {
        using var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, node.Port);
        var stream = client.GetStream();
        await stream.WriteAsync(Encoding.ASCII.GetBytes(command + "\r\n"));
        var (answer, buffer) = (new StringBuilder(), new byte[4096]);
        do
        {
            var count = await stream.ReadAsync(buffer);
            answer.Append(Encoding.ASCII.GetString(buffer, 0, count));
            Assert.False(count == 0 || answer[0] == '-', $"{command}: {answer}");
        }
        while (!answer.ToString().Contains(expected, StringComparison.Ordinal));
        return answer.ToString();
    }
}

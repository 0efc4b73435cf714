using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace Mcp.HighAvailability.Lab.Bench;

/// <summary>How many commands Redis has run, as it counts itself: those of clients and those inside scripts alike.</summary>
internal static class RedisStatistics
{
    // What asking costs.
    private static readonly string[] Own = ["info", "quit"];

    public static async Task<long> CountAsync(int port, CancellationToken cancellationToken)
    {
        using var client = new TcpClient();
        await client.ConnectAsync("127.0.0.1", port, cancellationToken);
        await client.GetStream().WriteAsync("INFO commandstats\r\nQUIT\r\n"u8.ToArray(), cancellationToken);
        using var reader = new StreamReader(client.GetStream(), Encoding.ASCII);
        long count = 0;
        while (await reader.ReadLineAsync(cancellationToken) is { } line)
        {
            // cmdstat_evalsha:calls=21,usec=175,…
            if (line.StartsWith("cmdstat_", StringComparison.Ordinal) && line.Split(':', '=', ',') is [var name, "calls", var calls, ..]
                && !Own.Contains(name["cmdstat_".Length..]))
            {
                count += long.Parse(calls, CultureInfo.InvariantCulture);
            }
        }

        return count;
    }
}

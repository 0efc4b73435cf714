using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace McpHa.Tests.Cluster;

/// <summary>Asks a redis-server or a Sentinel something, as redis-cli would: so that the tests know no more of the client library than a user.</summary>
internal static class RedisCommand
{
    /// <summary>Sends a command as one line and returns the answer as text, each element of an array in a line of its own.</summary>
    /// <exception cref="InvalidOperationException">The server answers with an error.</exception>
    public static async Task<string> SendAsync(int port, string command)
    {
        using var limit = new CancellationTokenSource(Wait.Limit);
        using var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, port, limit.Token);
        await using var stream = client.GetStream();
        await stream.WriteAsync(Encoding.UTF8.GetBytes(command + "\r\n"), limit.Token);

        // Latin-1 takes every byte for a character, so that the lengths, which count bytes, fit.
        using var reader = new StreamReader(stream, Encoding.Latin1);
        List<string> lines = [];
        await ReadAsync(reader, lines, limit.Token);
        return string.Join('\n', lines);
    }

    private static async Task ReadAsync(StreamReader reader, List<string> lines, CancellationToken cancellationToken)
    {
        var line = await reader.ReadLineAsync(cancellationToken) ?? throw new EndOfStreamException("The server has closed the connection.");
        switch (line[0])
        {
            case '-':
                throw new InvalidOperationException(line[1..]);
            case '$' when int.Parse(line[1..], CultureInfo.InvariantCulture) is var length and >= 0:
                var text = new char[length + 2];
                await reader.ReadBlockAsync(text.AsMemory(), cancellationToken);
                lines.Add(new(text, 0, length));
                break;
            case '*':
                for (var left = int.Parse(line[1..], CultureInfo.InvariantCulture); left > 0; left--)
                    await ReadAsync(reader, lines, cancellationToken);
                break;
            default:
                lines.Add(line[1..]);
                break;
        }
    }
}

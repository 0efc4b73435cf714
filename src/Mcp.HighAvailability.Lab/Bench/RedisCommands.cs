using System.Net.Sockets;
using System.Text;
using Mcp.HighAvailability.Lab.Bench.Report;
using Mcp.HighAvailability.Lab.Bench.Load;
using Mcp.HighAvailability.Lab.Bench.Server;

namespace Mcp.HighAvailability.Lab.Bench;

/// <summary>Counts the Redis commands of an <c>echo</c> call: those that the server sends, and all that Redis runs, scripts' inner ones included.</summary>
internal static class RedisCommands
{
    public static async Task<RedisReport> MeasureAsync(BenchOptions options, CancellationToken cancellationToken)
    {
        await using var processes = new BenchProcesses(options.Folder);
        var redis = await processes.StartRedisAsync(cancellationToken);
        var server = await processes.StartServerAsync(ServerKind.Ha, redis, "Durable", cancellationToken);
        using var load = await EchoLoad.OpenAsync(server.Endpoint, 1, withSession: true, cancellationToken);
        await load.RunAsync("redis", options.Duration / 2, cancellationToken);

        // MONITOR tells commands of clients from those that scripts run; the statistics count both alike.
        using var monitor = new Monitor(redis.Url.Port);
        var counting = await monitor.StartAsync(cancellationToken);
        var before = await RedisStatistics.ReadAsync(redis.Url.Port, cancellationToken);
        var result = await load.RunAsync("redis", options.Duration, cancellationToken);
        var after = await RedisStatistics.ReadAsync(redis.Url.Port, cancellationToken);
        var sent = await counting;

        var byName = after.Select(command => (command.Key, Count: command.Value - before.GetValueOrDefault(command.Key)))
            .Where(command => command.Count > 0 && command.Key is not ("info" or "monitor" or "quit"))
            .ToDictionary(command => command.Key, command => (double)command.Count / result.Calls);
        return new RedisReport(result.Calls, (double)sent / result.Calls, byName.Values.Sum(), byName);
    }

    private sealed class Monitor(int port) : IDisposable
    {
        private readonly TcpClient _client = new();

        public async Task<Task<long>> StartAsync(CancellationToken cancellationToken)
        {
            await _client.ConnectAsync("127.0.0.1", port, cancellationToken);
            await _client.GetStream().WriteAsync("MONITOR\r\n"u8.ToArray(), cancellationToken);
            var reader = new StreamReader(_client.GetStream(), Encoding.UTF8);
            await reader.ReadLineAsync(cancellationToken);
            return CountAsync(reader, cancellationToken);
        }

        public void Dispose() => _client.Dispose();

        // 1700000000.123456 [0 127.0.0.1:50000] "EVALSHA" …, or [0 lua] for what a script runs; line ends in arguments are written as \n.
        // Our own two questions for the statistics mark beginning and end.
        private static async Task<long> CountAsync(StreamReader reader, CancellationToken cancellationToken)
        {
            long sent = 0;
            var marks = 0;
            while (marks < 2 && await reader.ReadLineAsync(cancellationToken) is { } line)
            {
                if (line.EndsWith("\"INFO\" \"commandstats\"", StringComparison.Ordinal))
                    marks++;
                else if (marks == 1 && !line.Contains(" lua] ", StringComparison.Ordinal) && !line.EndsWith("\"QUIT\"", StringComparison.Ordinal))
                    sent++;
            }

            return sent;
        }
    }
}

using System.Diagnostics;
using System.Net.Sockets;

namespace McpHa.Tests.Cluster;

/// <summary>A Sentinel that watches a primary alone (quorum 1) and is quick to replace it.</summary>
internal sealed class RedisSentinel : IAsyncDisposable
{
    public const string Service = "mymaster";

    private readonly string _folder = Directory.CreateTempSubdirectory("sentinel-").FullName;
    private Process? _process;

    private RedisSentinel()
    {
    }

    public int Port { get; } = RedisServer.FreePort();

    /// <summary>Starts it; completes when it knows the primary's replica.</summary>
    public static async Task<RedisSentinel> StartAsync(RedisPair pair)
    {
        var sentinel = new RedisSentinel();
        try
        {
            await sentinel.StartAsync(pair.PrimaryPort);
            await Wait.UntilAsync(
                async () => sentinel.Answers() && (await sentinel.AskAsync("REPLICAS")).Contains($"{pair.ReplicaPort}", StringComparison.Ordinal),
                "Sentinel to know the replica");
            return sentinel;
        }
        catch
        {
            await sentinel.DisposeAsync();
            throw;
        }
    }

    /// <summary>Waits until it has made another server the primary.</summary>
    public Task WaitForPrimaryAsync(int port) => Wait.UntilAsync(
        async () => (await AskAsync("GET-MASTER-ADDR-BY-NAME")).EndsWith($"\n{port}", StringComparison.Ordinal)
            && (await RedisCommand.SendAsync(port, "ROLE")).StartsWith("master", StringComparison.Ordinal),
        $"Sentinel to promote the server at port {port}");

    public async ValueTask DisposeAsync()
    {
        if (_process is not null)
        {
            _process.Kill();
            await _process.WaitForExitAsync();
            _process.Dispose();
        }

        Directory.Delete(_folder, recursive: true);
    }

    private async Task StartAsync(int primary)
    {
        // Sentinel writes down there what it learns.
        var file = Path.Combine(_folder, "sentinel.conf");
        await File.WriteAllTextAsync(file, $"""
            port {Port}
            bind 127.0.0.1
            dir {_folder}
            sentinel monitor {Service} 127.0.0.1 {primary} 1
            sentinel down-after-milliseconds {Service} 1000
            sentinel failover-timeout {Service} 5000

            """);
        var start = new ProcessStartInfo("redis-server") { WorkingDirectory = _folder, RedirectStandardOutput = true };
        start.ArgumentList.Add(file);
        start.ArgumentList.Add("--sentinel");
        _process = Process.Start(start)!;
        // Drained, so that it never blocks on a full pipe.
        _process.OutputDataReceived += static (_, _) => { };
        _process.BeginOutputReadLine();
        await Wait.UntilAsync(Answers, $"Sentinel at port {Port}");
    }

    private bool Answers()
    {
        if (_process!.HasExited)
            throw new InvalidOperationException($"Sentinel ended with code {_process.ExitCode}.");
        try
        {
            using var client = new TcpClient("127.0.0.1", Port);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    private Task<string> AskAsync(string question) => RedisCommand.SendAsync(Port, $"SENTINEL {question} {Service}");
}

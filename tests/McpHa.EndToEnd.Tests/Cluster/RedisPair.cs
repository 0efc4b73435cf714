using System.Globalization;
using System.Text.RegularExpressions;

namespace McpHa.Tests.Cluster;

/// <summary>A redis-server and another one that replicates it.</summary>
internal sealed partial class RedisPair : IAsyncDisposable
{
    // At once, where Redis would wait 5 s for more of them.
    private readonly RedisServer _primary = new("--repl-diskless-sync-delay", "0");
    private readonly RedisServer _replica = new("--repl-diskless-sync-delay", "0");

    private RedisPair()
    {
    }

    public int PrimaryPort => _primary.Port;

    public int ReplicaPort => _replica.Port;

    public static async Task<RedisPair> StartAsync()
    {
        var pair = new RedisPair();
        try
        {
            await pair._primary.InitializeAsync();
            await pair._replica.InitializeAsync();
            await RedisCommand.SendAsync(pair.ReplicaPort, $"REPLICAOF 127.0.0.1 {pair.PrimaryPort}");
            await pair.WaitUntilInSyncAsync();
            return pair;
        }
        catch
        {
            await pair.DisposeAsync();
            throw;
        }
    }

    /// <summary>Waits until the replica has all that the primary has now.</summary>
    public async Task WaitUntilInSyncAsync()
    {
        var wanted = Offset().Match(await RedisCommand.SendAsync(PrimaryPort, "INFO replication"));
        await Wait.UntilAsync(
            async () =>
            {
                var replica = await RedisCommand.SendAsync(ReplicaPort, "INFO replication");
                return replica.Contains("master_link_status:up", StringComparison.Ordinal) && Number(Offset().Match(replica)) >= Number(wanted);
            },
            "the replica to be in sync");
    }

    public Task KillPrimaryAsync() => _primary.KillAsync();

    /// <summary>Makes the replica a primary, as an operator does.</summary>
    public Task PromoteAsync() => RedisCommand.SendAsync(ReplicaPort, "REPLICAOF NO ONE");

    public async ValueTask DisposeAsync()
    {
        await _replica.DisposeAsync();
        await _primary.DisposeAsync();
    }

    private static long Number(Match offset) => long.Parse(offset.Groups[1].Value, CultureInfo.InvariantCulture);

    [GeneratedRegex(@"\bmaster_repl_offset:(\d+)")]
    private static partial Regex Offset();
}

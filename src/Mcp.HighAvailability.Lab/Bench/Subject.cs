using Mcp.HighAvailability.Lab.Bench.Load;
using Mcp.HighAvailability.Lab.Bench.Server;

namespace Mcp.HighAvailability.Lab.Bench;

/// <summary>Something that answers <c>echo</c>, with all processes that take part in it.</summary>
internal sealed class Subject : IDisposable
{
    public required string Key { get; init; }

    public required string Title { get; init; }

    public required IReadOnlyList<Running> Servers { get; init; }

    public Running? Proxy { get; init; }

    public Running? Redis { get; init; }

    /// <summary>The loads by number of connections, each with connections of its own.</summary>
    public Dictionary<int, EchoLoad> Loads { get; } = [];

    public Uri Endpoint => (Proxy ?? Servers[0]).Endpoint;

    /// <summary>Starts a subject by its key.</summary>
    public static async Task<Subject> StartAsync(string key, OtherBuild? other, BenchProcesses processes, CancellationToken cancellationToken) => key switch
    {
        "a" => await AloneAsync(key, "bare Kestrel JSON echo", ServerKind.Bare, processes, cancellationToken),
        "b" => await AloneAsync(key, "SDK transport, in memory", ServerKind.Sdk, processes, cancellationToken),
        "c" => await OnRedisAsync(key, "Durable, direct", "Durable", 1, balanced: false, processes, cancellationToken),
        "n" => await OnRedisAsync(key, "as (c), nothing to measure with", "Durable", 1, balanced: false, processes, cancellationToken, TelemetryUse.Removed),
        "t" => await OnRedisAsync(key, "as (c), 10 % of traces exported", "Durable", 1, balanced: false, processes, cancellationToken, TelemetryUse.Sampled),
        "o" => await OnRedisAsync(key, $"as (c), {other!.Name}", "Durable", 1, balanced: false, processes, cancellationToken, other: other),
        "d" => await OnRedisAsync(key, "Fast, direct", "Fast", 1, balanced: false, processes, cancellationToken),
        "e" => await OnRedisAsync(key, "Durable, balancer, 1 replica", "Durable", 1, balanced: true, processes, cancellationToken),
        "e3" => await OnRedisAsync(key, "Durable, balancer, 3 replicas", "Durable", 3, balanced: true, processes, cancellationToken),
        _ => throw new ArgumentOutOfRangeException(nameof(key)),
    };

    public async Task OpenAsync(int connections, CancellationToken cancellationToken) =>
        Loads[connections] = await EchoLoad.OpenAsync(Endpoint, connections, withSession: Key != "a", cancellationToken);

    public void Dispose()
    {
        foreach (var load in Loads.Values)
            load.Dispose();
    }

    private static async Task<Subject> AloneAsync(string key, string title, ServerKind kind, BenchProcesses processes, CancellationToken cancellationToken) => new()
    {
        Key = key,
        Title = title,
        Servers = [await processes.StartServerAsync(kind, null, "Durable", cancellationToken)],
    };

    private static async Task<Subject> OnRedisAsync(
        string key, string title, string durability, int replicas, bool balanced, BenchProcesses processes, CancellationToken cancellationToken, TelemetryUse telemetry = TelemetryUse.Off,
        OtherBuild? other = null)
    {
        // A Redis of its own: the replicas of two subjects must not find each other.
        var redis = await processes.StartRedisAsync(cancellationToken);
        var servers = new List<Running>();
        for (var n = 0; n < replicas; n++)
            servers.Add(await processes.StartServerAsync(ServerKind.Ha, redis, durability, cancellationToken, telemetry, other));
        return new()
        {
            Key = key,
            Title = title,
            Servers = servers,
            Redis = redis,
            Proxy = balanced ? await processes.StartBalancerAsync(redis, cancellationToken) : null,
        };
    }
}

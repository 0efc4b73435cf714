using System.Text.Json;

namespace McpHa.Tests;

/// <summary>What <c>cluster.json</c> says.</summary>
public sealed record ClusterState(
    Uri Endpoint,
    IReadOnlyList<BalancerState> Balancers,
    IReadOnlyList<ReplicaState> Replicas,
    NginxState? Nginx,
    RedisState? Redis,
    Uri? Dashboard)
{
    /// <summary>Ids of all processes of the cluster.</summary>
    public IEnumerable<int> ProcessIds =>
        [.. Balancers.Select(balancer => balancer.Pid), .. Replicas.Select(replica => replica.Pid), .. Nginx is { } nginx ? [nginx.Pid] : Array.Empty<int>(), .. Redis?.Pid is { } redis ? [redis] : Array.Empty<int>()];

    /// <summary>Reads the file; <see langword="null"/> when there is none, because nothing runs.</summary>
    public static ClusterState? Read(string path)
    {
        try
        {
            return JsonSerializer.Deserialize<ClusterState>(File.ReadAllText(path), JsonSerializerOptions.Web);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
    }
}

public sealed record BalancerState(int Pid, Uri Url);

public sealed record ReplicaState(string Id, int Pid, Uri Url);

public sealed record NginxState(int Pid, Uri Url);

public sealed record RedisState(int? Pid, string ConnectionString);

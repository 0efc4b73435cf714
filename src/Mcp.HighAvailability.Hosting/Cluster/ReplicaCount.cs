using Microsoft.Extensions.Configuration;

namespace Mcp.HighAvailability.Hosting.Cluster;

/// <summary>How many replicas a cluster has.</summary>
/// <param name="Initial">Replicas that start with the application.</param>
/// <param name="Max">Replicas that can run, never fewer.</param>
internal sealed record ReplicaCount(int Initial, int Max)
{
    private const int Limit = 100;

    // The command line and the environment win over the code.
    private const string InitialSetting = "Replicas";
    private const string MaxSetting = "MaxReplicas";

    public static ReplicaCount Read(IConfiguration configuration, int replicas, int? maxReplicas)
    {
        var initial = Setting(configuration, InitialSetting) ?? Argument(nameof(replicas), replicas);
        var max = Setting(configuration, MaxSetting) ?? Argument(nameof(maxReplicas), maxReplicas ?? initial);
        return new(initial, Math.Max(initial, max));
    }

    private static int? Setting(IConfiguration configuration, string name) => configuration[name] switch
    {
        null or "" => null,
        var text when int.TryParse(text, out var count) && count is >= 1 and <= Limit => count,
        var text => throw new McpHostingException($"{name} is '{text}'; set it to a number from 1 to {Limit}, such as --{name}=5 on the command line."),
    };

    private static int Argument(string name, int count) => count is >= 1 and <= Limit
        ? count
        : throw new McpHostingException($"AddMcpCluster has {name} {count}; ask for 1 to {Limit}.");
}

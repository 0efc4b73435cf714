using Microsoft.Extensions.Configuration;

namespace Mcp.HighAvailability.Hosting.Cluster;

/// <summary>How many replicas a cluster starts with.</summary>
internal static class ReplicaCount
{
    public const int Max = 100;

    // The command line and the environment win over the code.
    private const string Setting = "Replicas";

    public static int Read(IConfiguration configuration, int replicas)
    {
        if (configuration[Setting] is not { Length: > 0 } text)
        {
            return replicas is >= 1 and <= Max
                ? replicas
                : throw new McpHostingException($"AddMcpCluster asks for {replicas} replicas; ask for 1 to {Max}.");
        }

        return int.TryParse(text, out var count) && count is >= 1 and <= Max
            ? count
            : throw new McpHostingException($"Replicas is '{text}'; set it to a number from 1 to {Max}, such as --Replicas=5 on the command line.");
    }
}

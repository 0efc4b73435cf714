using System.Security.Cryptography;
using Aspire.Hosting.ApplicationModel;

namespace Mcp.HighAvailability.Hosting.Cluster;

/// <summary>The id by which the cluster knows a replica: the name of its resource and four digits that are others after every start.</summary>
internal static class ReplicaId
{
    // Read by the server as HighAvailability:ReplicaId.
    public const string Variable = "HighAvailability__ReplicaId";

    public static string Create(string resource) => $"{resource}-{RandomNumberGenerator.GetHexString(4, lowercase: true)}";

    /// <summary>The id that a replica has now, or <see langword="null"/> if it has not been started.</summary>
    public static string? Of(CustomResourceSnapshot replica) =>
        replica.EnvironmentVariables.FirstOrDefault(variable => variable.Name == Variable)?.Value;
}

using Aspire.Hosting.ApplicationModel;

namespace Mcp.HighAvailability.Hosting;

/// <summary>Marks a resource as a replica of a cluster on the developer's machine.</summary>
/// <param name="Cluster">The cluster.</param>
/// <param name="Number">1, 2, …: the last part of its name.</param>
/// <param name="StartsExplicitly">Whether it starts only when the command <c>scale</c> of the cluster asks for it.</param>
public sealed record McpReplicaAnnotation(McpClusterResource Cluster, int Number, bool StartsExplicitly) : IResourceAnnotation;

using System.Security.Cryptography;
using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.Configuration;

namespace McpHa.AppHost;

/// <summary>The server's replicas.</summary>
internal static class Replicas
{
    // Read by the server as HighAvailability:ReplicaId.
    private const string ReplicaId = "HighAvailability__ReplicaId";

    /// <summary>Adds as many replicas of a project as the setting <c>Replicas</c> says.</summary>
    /// <remarks>
    /// On this machine they are resources of their own, <c>server-1</c> and so on: <c>WithReplicas</c> would give them one address and one health, that of a
    /// proxy which picks one of them, and names that change with every start. Published, they are one service with that many instances.
    /// </remarks>
    public static IReadOnlyList<IResourceBuilder<ProjectResource>> AddReplicas<TProject>(this IDistributedApplicationBuilder builder, string name)
        where TProject : IProjectMetadata, new()
    {
        var count = Count(builder.Configuration);
        return builder.ExecutionContext.IsPublishMode
            ? [builder.AddProject<TProject>(name).WithReplicas(count)]
            : [.. Enumerable.Range(1, count).Select(number => builder.AddReplica<TProject>($"{name}-{number}"))];
    }

    /// <summary>The id under which the cluster knows a replica now. It is another one at every start.</summary>
    public static string? IdOf(CustomResourceSnapshot replica) =>
        replica.EnvironmentVariables.FirstOrDefault(variable => variable.Name == ReplicaId)?.Value;

    private static IResourceBuilder<ProjectResource> AddReplica<TProject>(this IDistributedApplicationBuilder builder, string name)
        where TProject : IProjectMetadata, new() =>
        builder.AddProject<TProject>(name)
            // The launch profile has one port for all of them.
            .WithEndpoint("http", endpoint => endpoint.Port = null)
            .WithEnvironment(context => context.EnvironmentVariables[ReplicaId] = $"{name}-{RandomNumberGenerator.GetHexString(4, lowercase: true)}");

    private static int Count(IConfiguration configuration)
    {
        var text = configuration["Replicas"];
        return int.TryParse(text, out var count) && count is >= 1 and <= 100
            ? count
            : throw new DistributedApplicationException($"Replicas is '{text}'; set it to a number from 1 to 100, in appsettings.json or on the command line (--Replicas=5).");
    }
}

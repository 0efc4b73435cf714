using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.DependencyInjection;

namespace McpHa.AppHost;

/// <summary>A <c>redis-server</c> process on this machine, for development without a container runtime.</summary>
internal sealed class LocalRedisResource(string name, string command, string workingDirectory)
    : ExecutableResource(name, command, workingDirectory), IResourceWithConnectionString
{
    public const string EndpointName = "tcp";

    public EndpointReference Endpoint => field ??= new EndpointReference(this, EndpointName);

    public ReferenceExpression ConnectionStringExpression =>
        ReferenceExpression.Create($"{Endpoint.Property(EndpointProperty.Host)}:{Endpoint.Property(EndpointProperty.Port)}");
}

internal static class LocalRedisExtensions
{
    public static IResourceBuilder<LocalRedisResource> AddLocalRedis(this IDistributedApplicationBuilder builder, string name, string command)
    {
        // Beside the build output: kept from run to run, ignored by git.
        var data = Directory.CreateDirectory(Path.Combine(builder.AppHostDirectory, "obj", "redis")).FullName;
        var redis = new LocalRedisResource(name, command, data);

        var health = $"{name}_check";
        string? connectionString = null;
        builder.Services.AddHealthChecks().AddRedis(
            _ => connectionString ?? throw new InvalidOperationException($"The address of '{name}' is not known yet."), name: health);

        return builder.AddResource(redis)
            .WithEndpoint(scheme: "tcp", name: LocalRedisResource.EndpointName)
            .WithArgs(context =>
            {
                context.Args.Add("--port");
                context.Args.Add(redis.Endpoint.Property(EndpointProperty.TargetPort));
                foreach (var argument in new[] { "--bind", "127.0.0.1", "--dir", data, "--appendonly", "yes", "--save", "" })
                    context.Args.Add(argument);
            })
            .WithHealthCheck(health)
            .WithIconName("Database")
            .OnConnectionStringAvailable(async (_, _, cancellationToken) =>
                connectionString = await redis.ConnectionStringExpression.GetValueAsync(cancellationToken));
    }
}

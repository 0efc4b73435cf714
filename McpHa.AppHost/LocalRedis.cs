using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.DependencyInjection;

namespace McpHa.AppHost;

/// <summary>A <c>redis-server</c> process on this machine, for development without a container runtime.</summary>
internal sealed class LocalRedisResource(string name, string command, string workingDirectory, ParameterResource password)
    : ExecutableResource(name, command, workingDirectory), IResourceWithConnectionString
{
    public ReferenceExpression ConnectionStringExpression => LocalStore.Address(this, password);
}

/// <summary>What the stores that are processes on this machine have in common: an endpoint, a password and a health check.</summary>
internal static class LocalStore
{
    private const string EndpointName = "tcp";

    public static IResourceBuilder<LocalRedisResource> AddLocalRedis(this IDistributedApplicationBuilder builder, string name, string command)
    {
        // Beside the build output: kept from run to run, ignored by git.
        var data = Directory.CreateDirectory(Path.Combine(builder.AppHostDirectory, "obj", "redis")).FullName;
        var password = builder.AddStorePassword(name);
        var settings = SettingsFile(builder, name);
        return builder.AddResource(new LocalRedisResource(name, command, data, password))
            .WithArgs(settings) // before all others
            .WithSettings(settings, async cancellationToken => $"requirepass {await password.GetValueAsync(cancellationToken)}")
            .AsStore()
            .WithArgs("--bind", "127.0.0.1", "--dir", data, "--appendonly", "yes", "--save", "");
    }

    /// <summary>A file for the settings of a store, of this process alone.</summary>
    public static string SettingsFile(IDistributedApplicationBuilder builder, string name) =>
        Path.Combine(builder.AppHostDirectory, "obj", $"{name}-{Environment.ProcessId}.conf");

    /// <summary>
    /// Hands secrets over in a file that only this user can read, for as long as the store takes to start. Arguments can be read by every user of the machine,
    /// and the log of the resource shows them.
    /// </summary>
    public static IResourceBuilder<T> WithSettings<T>(this IResourceBuilder<T> store, string file, Func<CancellationToken, Task<string>> content)
        where T : ExecutableResource => store
        .OnBeforeResourceStarted(async (_, _, cancellationToken) =>
        {
            File.Delete(file);
            var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
            if (!OperatingSystem.IsWindows())
                options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
            await using var writer = new StreamWriter(file, options);
            await writer.WriteAsync(await content(cancellationToken));
        })
        .OnResourceReady((_, _, _) =>
        {
            File.Delete(file);
            return Task.CompletedTask;
        });

    /// <summary>A new password at every start, as Aspire gives one to a Redis container.</summary>
    public static ParameterResource AddStorePassword(this IDistributedApplicationBuilder builder, string name) =>
        ParameterResourceBuilderExtensions.CreateDefaultPasswordParameter(builder, $"{name}-password", special: false);

    /// <summary>The connection string.</summary>
    public static ReferenceExpression Address(IResourceWithEndpoints store, ParameterResource password)
    {
        var endpoint = new EndpointReference(store, EndpointName);
        return ReferenceExpression.Create($"{endpoint.Property(EndpointProperty.Host)}:{endpoint.Property(EndpointProperty.Port)},password={password}");
    }

    /// <summary>Adds the endpoint, the argument <c>--port</c> and the health check.</summary>
    public static IResourceBuilder<T> AsStore<T>(this IResourceBuilder<T> store) where T : ExecutableResource, IResourceWithConnectionString
    {
        var name = store.Resource.Name;
        var health = $"{name}_check";
        string? connectionString = null;
        store.ApplicationBuilder.Services.AddHealthChecks().AddRedis(
            _ => connectionString ?? throw new InvalidOperationException($"The address of '{name}' is not known yet."), name: health);
        return store
            .WithEndpoint(scheme: "tcp", name: EndpointName)
            .WithArgs("--port", store.GetEndpoint(EndpointName).Property(EndpointProperty.TargetPort))
            .WithHealthCheck(health)
            .WithIconName("Database")
            .OnConnectionStringAvailable(async (resource, _, cancellationToken) =>
                connectionString = await resource.ConnectionStringExpression.GetValueAsync(cancellationToken));
    }
}

using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.DependencyInjection;

namespace Mcp.HighAvailability.Hosting.Store;

/// <summary>Common parts of stores that run as a process on this machine: endpoint, password, health check.</summary>
internal static class StoreProcess
{
    private const string EndpointName = "tcp";

    /// <summary>The path of a settings file that only this AppHost process uses.</summary>
    public static string SettingsFile(IDistributedApplicationBuilder builder, string name) =>
        Path.Combine(builder.AppHostDirectory, "obj", $"{name}-{Environment.ProcessId}.conf");

    /// <summary>Creates a password parameter. The password is new at every start, as that of Aspire's Redis container.</summary>
    public static ParameterResource AddStorePassword(this IDistributedApplicationBuilder builder, string name) =>
        ParameterResourceBuilderExtensions.CreateDefaultPasswordParameter(builder, $"{name}-password", special: false);

    /// <summary>The connection string.</summary>
    public static ReferenceExpression ConnectionString(IResourceWithEndpoints store, ParameterResource password)
    {
        var endpoint = new EndpointReference(store, EndpointName);
        return ReferenceExpression.Create($"{endpoint.Property(EndpointProperty.Host)}:{endpoint.Property(EndpointProperty.Port)},password={password}");
    }

    /// <summary>
    /// Writes secrets into a file that only this user can read, and deletes it when the store has started. Every user of the machine can read the
    /// arguments of a process, and the log of the resource shows them.
    /// </summary>
    public static IResourceBuilder<T> WithSettings<T>(this IResourceBuilder<T> store, string file, Func<CancellationToken, Task<string>> content)
        where T : ExecutableResource => store
        .OnBeforeResourceStarted(async (_, _, cancellationToken) =>
        {
            File.Delete(file);
            Directory.CreateDirectory(Path.GetDirectoryName(file)!);
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

    /// <summary>Adds the endpoint, the argument <c>--port</c> and the health check.</summary>
    public static IResourceBuilder<T> AsStoreProcess<T>(this IResourceBuilder<T> store) where T : ExecutableResource, IResourceWithConnectionString
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

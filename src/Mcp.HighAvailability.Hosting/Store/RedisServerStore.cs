using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;

namespace Mcp.HighAvailability.Hosting.Store;

/// <summary>A <c>redis-server</c> process on this machine, for development without a container runtime.</summary>
internal sealed class RedisServerResource(string name, string command, string workingDirectory, ParameterResource password)
    : ExecutableResource(name, command, workingDirectory), IResourceWithConnectionString
{
    public ReferenceExpression ConnectionStringExpression => StoreProcess.ConnectionString(this, password);
}

internal static class RedisServerStore
{
    public static IResourceBuilder<RedisServerResource> AddRedisServer(this IDistributedApplicationBuilder builder, string name, string command)
    {
        // Beside the build output: kept from run to run, ignored by git.
        var data = Directory.CreateDirectory(Path.Combine(builder.AppHostDirectory, "obj", name)).FullName;
        var password = builder.AddStorePassword(name);
        var settings = StoreProcess.SettingsFile(builder, name);
        return builder.AddResource(new RedisServerResource(name, command, data, password))
            .WithArgs(settings) // before all others
            .WithSettings(settings, async cancellationToken => $"requirepass {await password.GetValueAsync(cancellationToken)}")
            .AsStoreProcess()
            .WithArgs("--bind", "127.0.0.1", "--dir", data, "--appendonly", "yes", "--save", "");
    }
}

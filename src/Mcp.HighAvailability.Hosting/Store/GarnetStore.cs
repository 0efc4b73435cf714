using System.Text.Json;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Mcp.HighAvailability.Hosting.Store;

/// <summary>Garnet, a store that speaks the protocol of Redis and comes as a .NET tool. It keeps its data in memory.</summary>
internal sealed class GarnetResource(string name, ParameterResource password) : DotnetToolResource(name, Package), IResourceWithConnectionString
{
    public const string Version = "2.2.8";

    public const string Package = "garnet-server";

    /// <summary>Whether it has answered.</summary>
    public bool IsReady { get; set; }

    /// <summary>Whether it has ended before it answered.</summary>
    public bool HasFailed { get; set; }

    public ReferenceExpression ConnectionStringExpression => StoreProcess.ConnectionString(this, password);
}

internal static partial class GarnetStore
{
    private const int MaxLinesShown = 10;
    private const string Host = "Microsoft.Extensions.Hosting.Internal.Host";

    public static IResourceBuilder<GarnetResource> AddGarnet(this IDistributedApplicationBuilder builder, string name)
    {
        var password = builder.AddStorePassword(name);
        var settings = StoreProcess.SettingsFile(builder, name);
        var garnet = new GarnetResource(name, password);

        // The host would add a stack trace to the message of GiveUpAsync.
        builder.Services.AddLogging(logging => logging.AddFilter(Host, level => level >= LogLevel.Information && !garnet.HasFailed));
        return builder.AddDotnetTool(garnet)
            .WithToolVersion(GarnetResource.Version)
            .WithSettings(settings, async cancellationToken => JsonSerializer.Serialize(new
            {
                AuthenticationMode = "Password",
                Password = await password.GetValueAsync(cancellationToken),
            }))
            .AsStoreProcess()
            .WithArgs("--config-import-path", settings, "--bind", "127.0.0.1", "--lua", "--lua-transaction-mode")
            .OnResourceReady((_, _, _) =>
            {
                garnet.IsReady = true;
                return Task.CompletedTask;
            })
            .OnResourceStopped((_, stopped, cancellationToken) =>
                garnet.IsReady ? Task.CompletedTask : GiveUpAsync(garnet, settings, stopped.Services, cancellationToken));
    }

    /// <summary>Ends the application, which cannot work without its store, and names the cures.</summary>
    private static async Task GiveUpAsync(GarnetResource garnet, string settings, IServiceProvider services, CancellationToken cancellationToken)
    {
        var application = services.GetRequiredService<IHostApplicationLifetime>();
        if (application.ApplicationStopping.IsCancellationRequested)
            return;

        List<string> output = [];
        await foreach (var lines in services.GetRequiredService<ResourceLoggerService>().GetAllAsync(garnet).WithCancellation(cancellationToken))
            output.AddRange(lines.Select(line => line.Content).Where(line => !line.Contains("[sys]", StringComparison.Ordinal)));
        LogNotStarted(
            services.GetRequiredService<ILoggerFactory>().CreateLogger(typeof(GarnetStore)), garnet.Name, GarnetResource.Package, GarnetResource.Version,
            string.Join('\n', output.TakeLast(MaxLinesShown)));
        File.Delete(settings);
        garnet.HasFailed = true;
        Environment.ExitCode = 1;
        application.StopApplication();
    }

    [LoggerMessage(LogLevel.Critical,
        "Store '{Name}' did not start: the .NET tool {Package} {Version} cannot be run. Start Docker or Podman, install redis-server, or set " +
            "ConnectionStrings:{Name} to an "
        + "existing Redis. Output of the tool:\n{Output}")]
    private static partial void LogNotStarted(ILogger logger, string name, string package, string version, string output);
}

using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Testing;
using Mcp.HighAvailability.Hosting;
using ModelContextProtocol.Client;

namespace McpHa.Tests;

/// <summary>The whole application under Aspire, as AppHost.cs describes it, started once for all tests.</summary>
public sealed class ApplicationFixture : IAsyncLifetime
{
    // Ends a test that would hang. A busy machine takes minutes to start all processes.
    private static readonly TimeSpan _limit = TimeSpan.FromMinutes(5);

    private readonly DirectoryInfo _data = Directory.CreateTempSubdirectory("tests-");
    private DistributedApplication? _application;

    /// <summary>Names of the replicas' resources.</summary>
    public IReadOnlyList<string> Replicas { get; private set; } = [];

    private DistributedApplication Application => _application!;

    public async ValueTask InitializeAsync()
    {
        var builder = await DistributedApplicationTestingBuilder.CreateAsync<Projects.McpHa_AppHost>();
        foreach (var resource in builder.Resources)
            Isolate(resource);
        DevelopmentToken.Trust(builder);
        Replicas = [.. builder.Resources.OfType<ProjectResource>().Select(project => project.Name)
            .Where(name => name.StartsWith("server-", StringComparison.Ordinal))];
        _application = await builder.BuildAsync();
        await _application.StartAsync().WaitAsync(_limit);
        await HealthyAsync("balancer");
    }

    public async ValueTask DisposeAsync()
    {
        await (_application?.DisposeAsync() ?? default);
        _data.Delete(recursive: true);
    }

    /// <summary>Connects the SDK's client to the balancer, in a session of its own.</summary>
    public Task<McpClient> ConnectAsync() => McpClient.CreateAsync(
        new HttpClientTransport(new()
        {
            Endpoint = new(Application.GetEndpoint("balancer", "http"), "/mcp"),
            TransportMode = HttpTransportMode.StreamableHttp, AdditionalHeaders = DevelopmentToken.Headers,
        }),
        new() { ProtocolVersion = "2025-11-25" });

    /// <summary>Kills the process of a replica, and waits until Aspire has started another one in its place.</summary>
    public async Task KillAndReplaceAsync(string replica)
    {
        await HealthyAsync(replica);
        var before = await ProcessAsync(replica, _ => true);
        var killed = await Application.ResourceCommands.ExecuteCommandAsync(replica, "kill").WaitAsync(_limit);
        Assert.True(killed.Success, killed.Message);
        await ProcessAsync(replica, now => now is not null && now != before);
        await HealthyAsync(replica);
    }

    private Task HealthyAsync(string resource) =>
        Application.ResourceNotifications.WaitForResourceHealthyAsync(resource, WaitBehavior.WaitOnResourceUnavailable).WaitAsync(_limit);

    private async Task<string?> ProcessAsync(string replica, Func<string?, bool> condition)
    {
        var found = await Application.ResourceNotifications.WaitForResourceAsync(replica, update => condition(ProcessOf(update.Snapshot))).WaitAsync(_limit);
        return ProcessOf(found.Snapshot);
    }

    private static string? ProcessOf(CustomResourceSnapshot replica) =>
        replica.Properties.FirstOrDefault(property => property.Name == "executable.pid")?.Value?.ToString();

    // Tests use neither the dashboard, which they do not start, nor the data and the cluster of an application that runs beside them.
    private void Isolate(IResource resource)
    {
        resource.Annotations.Add(new EnvironmentCallbackAnnotation(context =>
        {
            context.EnvironmentVariables.Remove("OTEL_EXPORTER_OTLP_ENDPOINT");
            if (resource is ProjectResource)
                context.EnvironmentVariables["HighAvailability__Redis__KeyPrefix"] = $"{_data.Name}:";
        }));
        foreach (var mount in resource.Annotations.OfType<ContainerMountAnnotation>().ToList())
            resource.Annotations.Remove(mount);

        // An installed redis-server: of two arguments --dir the last one counts.
        if (resource.Annotations.OfType<McpStoreAnnotation>().Any(store => store.Kind == McpStoreKind.RedisServer))
        {
            resource.Annotations.Add(new CommandLineArgsCallbackAnnotation(arguments =>
            {
                arguments.Add("--dir");
                arguments.Add(_data.FullName);
            }));
        }
    }
}

/// <summary>Tests that share the running application.</summary>
[CollectionDefinition(Name)]
public sealed class ApplicationCollection : ICollectionFixture<ApplicationFixture>
{
    public const string Name = "application";
}

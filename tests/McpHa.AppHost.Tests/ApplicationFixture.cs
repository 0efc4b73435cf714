using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Testing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging;

namespace McpHa.Tests;

/// <summary>The whole application as AppHost.cs describes it: real processes under Aspire's own orchestrator, started once for all tests.</summary>
public class ApplicationFixture : IAsyncLifetime
{
    public static readonly string[] Replicas = ["server-1", "server-2", "server-3"];

    public const string SpareReplica = "server-4";

    // Tests run without a dashboard, so nothing listens there.
    public static readonly Uri Dashboard = new("http://localhost:15250");

    // Ends a wait that would hang. A busy machine may take a minute to start six processes.
    private static readonly TimeSpan _limit = TimeSpan.FromMinutes(3);

    private readonly DirectoryInfo _data = Directory.CreateTempSubdirectory("apphost-tests-");
    private readonly ConcurrentDictionary<string, string> _states = [];
    private readonly ConsoleLog _console = new();
    private readonly CancellationTokenSource _ended = new();
    private DistributedApplication? _application;
    private Task _following = Task.CompletedTask;
    private string? _failure;

    private DistributedApplication Application => _application!;

    public Uri McpEndpoint => new(Application.GetEndpoint("balancer", "http"), "/mcp");

    /// <summary>Messages that the application has printed, but for those of its resources.</summary>
    public IReadOnlyCollection<string> Printed => _console.Messages;

    public async ValueTask InitializeAsync()
    {
        var builder = await CreateBuilderAsync([$"--Replicas={Replicas.Length}", $"--MaxReplicas={Replicas.Length + 1}", $"--ASPNETCORE_URLS={Dashboard};http://localhost:1"]);
        foreach (var resource in builder.Resources)
            Isolate(resource);
        builder.Services.AddSingleton<ILoggerProvider>(_console);
        _application = await builder.BuildAsync();
        _following = FollowStatesAsync();
        await WithinLimitAsync("the application to start", async cancellation =>
        {
            await _application.StartAsync(cancellation);
            return true;
        });
        await AllHealthyAsync();
    }

    public async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        await _ended.CancelAsync();
        await _following.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _ended.Dispose();
        if (_application is not null)
            await _application.DisposeAsync().AsTask().WaitAsync(_limit);
        _data.Delete(recursive: true);
    }

    /// <summary>Describes the application, as AppHost.cs does.</summary>
    protected virtual Task<IDistributedApplicationTestingBuilder> CreateBuilderAsync(string[] arguments) =>
        DistributedApplicationTestingBuilder.CreateAsync<Projects.McpHa_AppHost>(arguments);

    /// <summary>Waits until every resource is healthy. A replica that a test killed comes back without help.</summary>
    public async Task AllHealthyAsync()
    {
        foreach (var name in (string[])["redis", "balancer", .. Replicas])
        {
            await WithinLimitAsync($"{name} to be healthy", cancellation =>
                Application.ResourceNotifications.WaitForResourceHealthyAsync(name, WaitBehavior.WaitOnResourceUnavailable, cancellation));
        }
    }

    /// <summary>What the dashboard shows of a resource now.</summary>
    public Task<CustomResourceSnapshot> NowAsync(string resource) => UntilAsync(resource, _ => true);

    /// <summary>Waits for what the dashboard shows of a resource.</summary>
    public async Task<CustomResourceSnapshot> UntilAsync(
        string resource, Func<CustomResourceSnapshot, bool> condition, [CallerArgumentExpression(nameof(condition))] string what = "") =>
        (await WithinLimitAsync($"{resource} to satisfy {what}", cancellation =>
            Application.ResourceNotifications.WaitForResourceAsync(resource, e => condition(e.Snapshot), cancellation))).Snapshot;

    public static bool IsHealthy(CustomResourceSnapshot resource) =>
        resource.State?.Text == KnownResourceStates.Running && resource.HealthStatus == HealthStatus.Healthy;

    /// <summary>Starts a replica that a test stopped, and waits until every resource is healthy.</summary>
    public async Task StartAsync(string replica)
    {
        await UntilAsync(replica, IsDead);
        await CommandAsync(replica, KnownResourceCommands.StartCommand);
        await AllHealthyAsync();
    }

    /// <summary>Waits until another process than before is the replica, and healthy.</summary>
    internal Task RestartedAsync(Owner before) => UntilAsync(
        before.Resource,
        replica => IsHealthy(replica) && replica.EnvironmentVariables.Single(variable => variable.Name == "HighAvailability__ReplicaId").Value != before.Replica);

    public static bool IsDead(CustomResourceSnapshot resource) => KnownResourceStates.TerminalStates.Contains(resource.State?.Text);

    /// <summary>Clicks on a command of a resource.</summary>
    public async Task<ExecuteCommandResult> CommandAsync(string resource, string command, params InteractionInput[] arguments)
    {
        var result = await Application.ResourceCommands.ExecuteCommandAsync(resource, command, new InteractionInputCollection(arguments)).WaitAsync(Wait.Limit);
        Assert.True(result.Success, $"{command} of {resource}: {result.Message}");
        return result;
    }

    /// <summary>Fails with the state of every resource when the wait takes too long. All later waits fail at once.</summary>
    private async Task<T> WithinLimitAsync<T>(string what, Func<CancellationToken, Task<T>> waitAsync)
    {
        if (_failure is not null)
            throw new InvalidOperationException($"An earlier wait failed. {_failure}");
        using var limit = new CancellationTokenSource(_limit);
        try
        {
            return await waitAsync(limit.Token);
        }
        catch (OperationCanceledException) when (limit.IsCancellationRequested)
        {
            _failure = $"Waited {_limit.TotalSeconds:0} s in vain for {what}.\n{string.Join('\n', _states)}";
            throw new TimeoutException(_failure);
        }
    }

    // Followed from the start: an application that ends is asked no more.
    private async Task FollowStatesAsync()
    {
        await foreach (var change in Application.ResourceNotifications.WatchAsync(_ended.Token))
        {
            var reports = change.Snapshot.HealthReports.Select(report => $"{report.Name} {report.Status?.ToString() ?? "not checked yet"} {report.Description}");
            _states[change.ResourceId] = string.Join(", ", [$"{change.Snapshot.State?.Text}", .. reports]);
        }
    }

    private void Isolate(IResource resource)
    {
        // The dashboard, to which telemetry would go, is off in tests. Processes that end would wait for it in vain.
        resource.Annotations.Add(new EnvironmentCallbackAnnotation(context => context.EnvironmentVariables.Remove("OTEL_EXPORTER_OTLP_ENDPOINT")));

        // Not the data of the application that a developer may have running beside the tests.
        foreach (var mount in resource.Annotations.OfType<ContainerMountAnnotation>().ToList())
            resource.Annotations.Remove(mount);
        if (resource is ExecutableResource { Name: "redis" } and not DotnetToolResource)
            resource.Annotations.Add(new CommandLineArgsCallbackAnnotation(arguments =>
            {
                arguments.Add("--dir");
                arguments.Add(_data.FullName);
            }));
    }
}

using System.Diagnostics;
using Aspire.Hosting.ApplicationModel;
using Mcp.HighAvailability.Hosting.Cluster;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Mcp.HighAvailability.Hosting.Start;

/// <summary>Says on the console which store was chosen, what the start waits for, and where the cluster is when it is ready.</summary>
internal sealed partial class StartReport(
    McpClusterResource cluster, ResourceNotificationService notifications, IConfiguration configuration, TimeProvider time, ILogger<StartReport> logger)
        : IHostedLifecycleService, IDisposable
{
    // What else the application says when it is ready, with the address of the MCP endpoint in the place of {endpoint}.
    private const string HintSetting = "ReadyHint";
    private const string EndpointPlaceholder = "{endpoint}";

    private static readonly TimeSpan _interval = TimeSpan.FromSeconds(4);

    private readonly CancellationTokenSource _stopping = new();
    private Task _report = Task.CompletedTask;

    // Before the orchestrator starts: what it does takes most of the time.
    public Task StartingAsync(CancellationToken cancellationToken)
    {
        _report = ReportAsync(_stopping.Token);
        return Task.CompletedTask;
    }

    public Task StoppingAsync(CancellationToken cancellationToken)
    {
        _stopping.Cancel();
        return _report;
    }

    public void Dispose() => _stopping.Dispose();

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private async Task ReportAsync(CancellationToken cancellationToken)
    {
        var started = time.GetTimestamp();
        var store = cluster.Store!;
        LogStore(store.Name, store.Annotations.OfType<McpStoreAnnotation>().First().Description);
        List<IResource> resources = [store, .. cluster.Replicas.Where(replica => !StartsExplicitly(replica))];
        if (cluster.Balancer is { } balancer)
            resources.Add(balancer);
        try
        {
            using var timer = new PeriodicTimer(_interval, time);
            var ready = Task.WhenAll(resources.Select(resource =>
                notifications.WaitForResourceHealthyAsync(resource.Name, WaitBehavior.WaitOnResourceUnavailable, cancellationToken)));
            while (await Task.WhenAny(ready, timer.WaitForNextTickAsync(cancellationToken).AsTask()) != ready)
            {
                cancellationToken.ThrowIfCancellationRequested();
                LogWaiting((int)time.GetElapsedTime(started).TotalSeconds, string.Join(", ", resources.Select(Pending).OfType<string>()));
            }

            await ready;
            SayReady((int)time.GetElapsedTime(started).TotalSeconds);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // The application ends before it was ready.
        }
    }

    private void SayReady(int seconds)
    {
        if (cluster.Balancer?.GetEndpoint("http") is not { IsAllocated: true } endpoint)
        {
            LogReady(seconds);
            return;
        }

        var address = endpoint.Url.TrimEnd('/');
        LogReadyAt(seconds, $"{address}/mcp", $"{address}/", cluster.Replicas[0].Name);
        if (configuration[HintSetting] is { Length: > 0 } hint)
            LogHint(hint.Replace(EndpointPlaceholder, $"{address}/mcp", StringComparison.Ordinal));
    }

    // A resource without a health check is healthy when it runs; the notifications say so.
    private string? Pending(IResource resource)
    {
        if (!notifications.TryGetCurrentState(resource.Name, out var now))
            return $"{resource.Name} (not started)";
        var state = now.Snapshot.State?.Text is { Length: > 0 } text ? text : "not started";
        if (state != KnownResourceStates.Running && state != KnownResourceStates.Active)
            return $"{resource.Name} ({state})";
        return ClusterStatus.IsHealthy(now.Snapshot) || state == KnownResourceStates.Active ? null : $"{resource.Name} (not healthy yet)";
    }

    private static bool StartsExplicitly(IResource replica) =>
        replica.Annotations.OfType<McpReplicaAnnotation>().Any(annotation => annotation.StartsExplicitly);

    [LoggerMessage(LogLevel.Information, "Store '{Name}': {Description}.")]
    private partial void LogStore(string name, string description);

    [LoggerMessage(LogLevel.Information, "{Seconds} s: waiting for {Resources}.")]
    private partial void LogWaiting(int seconds, string resources);

    [LoggerMessage(LogLevel.Information, "Ready after {Seconds} s.")]
    private partial void LogReady(int seconds);

    [LoggerMessage(LogLevel.Information, """
        Ready after {Seconds} s.
        MCP endpoint: {Endpoint}
        Cluster page: {Page}
        Kill a replica and see its sessions continue: 'Kill process' of {Replica} in the dashboard, or 'aspire resource {Replica} kill'.
        """)]
    private partial void LogReadyAt(int seconds, string endpoint, string page, string replica);

    [LoggerMessage(LogLevel.Information, "{Hint}")]
    private partial void LogHint(string hint);
}

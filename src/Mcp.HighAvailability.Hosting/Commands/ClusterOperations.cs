using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using Aspire.Hosting.ApplicationModel;

namespace Mcp.HighAvailability.Hosting.Commands;

/// <summary>Asks the balancer of a cluster for its replicas, and to drain and resume them.</summary>
internal sealed class ClusterOperations(McpClusterResource cluster)
{
    private const string Endpoint = "http";

    private static readonly TimeSpan _pollDelay = TimeSpan.FromMilliseconds(200);

    private static readonly HttpClient _http = new() { Timeout = TimeSpan.FromSeconds(20) };

    /// <summary>Drains a replica, and waits until it is empty or <paramref name="timeout"/> is over. Calls in progress finish first.</summary>
    public async Task<DrainProgress> DrainAsync(string replica, TimeSpan timeout, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(timeout);
        while (true)
        {
            var progress = await PostAsync(replica, "drain", cancellationToken);
            if (progress.IsEmpty || limit.IsCancellationRequested)
                return progress;
            await Task.Delay(_pollDelay, cancellationToken);
        }
    }

    /// <summary>Takes a drained replica back.</summary>
    public Task ResumeAsync(string replica, CancellationToken cancellationToken) => PostAsync(replica, "resume", cancellationToken);

    /// <summary>Returns the balancer's view of a replica.</summary>
    public async Task<KnownReplica?> FindAsync(string replica, CancellationToken cancellationToken) =>
        (await ReportAsync(cancellationToken)).FirstOrDefault(known => known.Id == replica);

    /// <summary>All replicas that the balancer knows; empty if it does not answer.</summary>
    public async Task<IReadOnlyList<KnownReplica>> TryReportAsync(CancellationToken cancellationToken)
    {
        try
        {
            return await ReportAsync(cancellationToken);
        }
        catch (ClusterOperationException)
        {
            return [];
        }
    }

    private async Task<IReadOnlyList<KnownReplica>> ReportAsync(CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "/");
        request.Headers.Accept.Add(new("application/json"));
        return (await SendAsync<ClusterReport>(request, cancellationToken)).Replicas;
    }

    private async Task<DrainProgress> PostAsync(string replica, string operation, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, $"/operations/replicas/{replica}/{operation}");
        if (cluster.OperationsKey is { } key)
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", await key.GetValueAsync(cancellationToken));
        return await SendAsync<DrainProgress>(request, cancellationToken);
    }

    private async Task<T> SendAsync<T>(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        if (cluster.Balancer is not { } balancer)
            throw new ClusterOperationException($"Cluster '{cluster.Name}' has no balancer. Add it with AddMcpBalancer in the AppHost.");
        var endpoint = balancer.GetEndpoint(Endpoint);
        if (!endpoint.IsAllocated)
            throw new ClusterOperationException($"'{balancer.Name}' does not run. Start it first.");
        try
        {
            request.RequestUri = new Uri(new Uri(endpoint.Url), request.RequestUri!);
            using var response = await _http.SendAsync(request, cancellationToken);
            if (!response.IsSuccessStatusCode)
                throw new ClusterOperationException($"'{balancer.Name}' refused: {await response.Content.ReadAsStringAsync(cancellationToken)}");
            return (await response.Content.ReadFromJsonAsync<T>(cancellationToken))!;
        }
        catch (Exception e) when (e is HttpRequestException or JsonException or TaskCanceledException && !cancellationToken.IsCancellationRequested)
        {
            throw new ClusterOperationException($"'{balancer.Name}' does not answer as expected ({e.Message}). Check that it runs.");
        }
    }

    private sealed record ClusterReport(IReadOnlyList<KnownReplica> Replicas);
}

/// <summary>A replica as the balancer reports it.</summary>
internal sealed record KnownReplica(string Id, int ProcessId, string State, int Sessions, int Calls)
{
    public bool TakesSessions => State == "alive";
}

/// <summary>Sessions and calls that a draining replica still has.</summary>
internal sealed record DrainProgress(int Sessions, int Calls)
{
    public bool IsEmpty => Sessions == 0 && Calls == 0;
}

/// <summary>The cluster did not do what a command asked for. The message says why.</summary>
internal sealed class ClusterOperationException(string message) : Exception(message);

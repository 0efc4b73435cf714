using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using Aspire.Hosting.ApplicationModel;

namespace McpHa.AppHost;

/// <summary>Asks the balancer how the cluster is, and to drain replicas.</summary>
internal sealed class ClusterOperations(EndpointReference balancer, ParameterResource key)
{
    // Calls in work finish first, which may take as long as they like: so long a command waits for them.
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan _again = TimeSpan.FromMilliseconds(200);

    private static readonly HttpClient _http = new() { Timeout = TimeSpan.FromSeconds(20) };

    /// <summary>Drains a replica, and waits until it is empty, or for half a minute.</summary>
    public async Task<DrainedReplica> DrainAsync(string replica, CancellationToken cancellationToken)
    {
        using var patience = new CancellationTokenSource(_patience);
        while (true)
        {
            var state = await PostAsync(replica, "drain", cancellationToken);
            if (state is { Sessions: 0, Calls: 0 } || patience.IsCancellationRequested)
                return state;
            await Task.Delay(_again, cancellationToken);
        }
    }

    /// <summary>Takes a drained replica back.</summary>
    public Task ResumeAsync(string replica, CancellationToken cancellationToken) => PostAsync(replica, "resume", cancellationToken);

    /// <summary>What the balancer knows of a replica.</summary>
    public async Task<KnownReplica?> FindAsync(string replica, CancellationToken cancellationToken) =>
        (await ReportAsync(cancellationToken)).FirstOrDefault(known => known.Id == replica);

    /// <summary>The same; null also when the balancer does not answer.</summary>
    public async Task<KnownReplica?> TryFindAsync(string replica, CancellationToken cancellationToken) =>
        (await TryReportAsync(cancellationToken)).FirstOrDefault(known => known.Id == replica);

    /// <summary>All replicas that the balancer knows, none when it does not answer.</summary>
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

    private async Task<DrainedReplica> PostAsync(string replica, string operation, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, $"/operations/replicas/{replica}/{operation}");
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", await key.GetValueAsync(cancellationToken));
        return await SendAsync<DrainedReplica>(request, cancellationToken);
    }

    private async Task<T> SendAsync<T>(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        if (!balancer.IsAllocated)
            throw new ClusterOperationException("The balancer does not run. Start it first.");
        try
        {
            request.RequestUri = new Uri(new Uri(balancer.Url), request.RequestUri!);
            using var response = await _http.SendAsync(request, cancellationToken);
            if (!response.IsSuccessStatusCode)
                throw new ClusterOperationException($"The balancer refused: {await response.Content.ReadAsStringAsync(cancellationToken)}");
            return (await response.Content.ReadFromJsonAsync<T>(cancellationToken))!;
        }
        catch (Exception e) when (e is HttpRequestException or JsonException or TaskCanceledException && !cancellationToken.IsCancellationRequested)
        {
            throw new ClusterOperationException($"The balancer does not answer as expected ({e.Message}). Does it run?");
        }
    }

    private sealed record ClusterReport(IReadOnlyList<KnownReplica> Replicas);
}

/// <summary>A replica as the balancer reports it.</summary>
internal sealed record KnownReplica(string Id, int ProcessId, string State, int Sessions, int Calls);

/// <summary>What a draining replica still has.</summary>
internal sealed record DrainedReplica(int Sessions, int Calls);

/// <summary>Says, for whoever gave the command, why the cluster did not do it.</summary>
internal sealed class ClusterOperationException(string message) : Exception(message);

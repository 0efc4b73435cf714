using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using Mcp.HighAvailability.Balancer.Routing;
using Mcp.HighAvailability.Cluster;
using Mcp.HighAvailability.Storage;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace McpHa.Tests;

/// <summary>A balancer on a real port, in front of replicas on real ports.</summary>
internal sealed class BalancerBench : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly List<FakeReplica> _replicas = [];

    private BalancerBench(WebApplication app) => _app = app;

    public FixedRegistry Registry { get; } = new();

    public HttpClient Client { get; private set; } = null!;

    public ReplicaDirectory Directory => _app.Services.GetRequiredService<ReplicaDirectory>();

    public static async Task<BalancerBench> StartAsync(
        Action<BalancerOptions>? configure = null, Action<IServiceCollection>? services = null, string[]? arguments = null)
    {
        var builder = WebApplication.CreateSlimBuilder(arguments ?? []);
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        BalancerBench bench = null!;
        builder.Services.AddSingleton<IReplicaRegistry>(_ => bench.Registry);
        builder.Services.AddMcpBalancer();

        // No replica is lost in a test by time alone.
        builder.Services.Configure<ClusterOptions>(options => options.Overdue = TimeSpan.FromSeconds(45));
        builder.Services.Configure(configure ?? (_ => { }));
        services?.Invoke(builder.Services);
        var app = builder.Build();
        bench = new BalancerBench(app);
        app.MapHealthChecks("/health");
        app.MapMcpBalancer();
        await app.StartAsync();
        bench.Client = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false }) { BaseAddress = new Uri(app.Urls.First()), Timeout = Wait.Limit };
        return bench;
    }

    /// <summary>An address of this machine without a listener.</summary>
    public static Uri FreeAddress()
    {
        using var free = new TcpListener(IPAddress.Loopback, 0);
        free.Start();
        return new Uri($"http://{free.LocalEndpoint}");
    }

    public async Task<FakeReplica> AddAsync(string id, Func<FakeReplica, ReplicaInfo>? info = null)
    {
        var replica = await FakeReplica.StartAsync(id);
        _replicas.Add(replica);
        await SetAsync(info?.Invoke(replica) ?? replica.Info);
        return replica;
    }

    public async Task SetAsync(ReplicaInfo replica, TimeSpan age = default)
    {
        Registry.Set(replica, age);
        await Directory.RefreshAsync();
    }

    public static HttpRequestMessage Post(string? session = null, string? version = null, string path = "/mcp", HttpContent? body = null)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = body ?? new StringContent("""{"jsonrpc":"2.0","id":7,"method":"ping"}""") };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        request.Headers.Accept.ParseAdd("application/json, text/event-stream");
        if (session is not null)
            request.Headers.Add("Mcp-Session-Id", session);
        if (version is not null)
            request.Headers.Add("MCP-Protocol-Version", version);
        return request;
    }

    public Task<HttpResponseMessage> SendAsync(HttpRequestMessage request) => Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);

    public IReadOnlyCollection<FakeReplica> Replicas => _replicas;

    public Task StopAsync() => _app.StopAsync();

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        foreach (var replica in _replicas)
            await replica.DisposeAsync();
        await _app.DisposeAsync();
    }
}

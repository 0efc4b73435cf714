using System.Collections.Concurrent;
using System.Net.Http.Headers;
using Mcp.HighAvailability;
using Mcp.HighAvailability.Cluster;
using Mcp.HighAvailability.Relay;
using Mcp.HighAvailability.Storage;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Extensions;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace McpHa.Tests.Relays;

/// <summary>A relay behind a real server, a client in front of it, and replicas behind it.</summary>
internal sealed class RelayBench : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly List<FakeReplica> _replicas = [];

    private RelayBench(WebApplication app) => _app = app;

    public FixedRegistry Registry { get; } = new();

    public HttpClient Client { get; private set; } = null!;

    public ReplicaDirectory Directory => _app.Services.GetRequiredService<ReplicaDirectory>();

    /// <summary>The route of the next exchanges: these replicas in turn, again and again; what it was told is in <see cref="Failures"/> and <see cref="Learned"/>.</summary>
    public List<string> Order { get; } = [];

    public ConcurrentQueue<RelayFailure> Failures { get; } = new();

    public ConcurrentQueue<(string Replica, string? Owner, string? Session)> Learned { get; } = new();

    public bool Repeatable { get; set; } = true;

    public bool Hop { get; set; }

    /// <summary>Whether the caller is a relay too.</summary>
    public bool ForRelay { get; set; }

    public Relay Relay => _app.Services.GetRequiredService<Relay>();

    public TimeSpan HoldTime { get; set; } = Wait.Limit;

    public static async Task<RelayBench> StartAsync(Action<RelayOptions>? configure = null)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.WebHost.ConfigureKestrel(options => options.AddServerHeader = false);
        RelayBench bench = null!;
        builder.Services.AddSingleton<IReplicaRegistry>(_ => bench.Registry);
        builder.Services.AddRelay();

        // No replica is lost in a test by time alone.
        builder.Services.Configure<ClusterOptions>(options => options.Overdue = TimeSpan.FromSeconds(45));
        builder.Services.Configure<RelayOptions>(options =>
        {
            (options.ConnectTimeout, options.CallsFinish) = (TimeSpan.FromSeconds(30), Wait.Limit);
            configure?.Invoke(options);
        });
        var app = builder.Build();
        bench = new RelayBench(app);
        app.Run(bench.HandleAsync);
        await app.StartAsync();
        bench.Client = new HttpClient { BaseAddress = new Uri(app.Urls.Single()), Timeout = Wait.Limit };
        return bench;
    }

    public async Task<FakeReplica> AddAsync(string id, Func<HttpContext, int, Task>? answer = null)
    {
        var replica = await FakeReplica.StartAsync(id, answer);
        _replicas.Add(replica);
        Registry.Set(replica.Info);
        Order.Add(id);
        await Directory.RefreshAsync();
        return replica;
    }

    public static HttpRequestMessage Post(string body = """{"jsonrpc":"2.0","id":7,"method":"tools/call"}""", string path = "/mcp")
    {
        var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = new StringContent(body) };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        request.Headers.Add("Mcp-Session-Id", "s-1");
        request.Headers.Accept.ParseAdd("application/json");
        request.Headers.Accept.ParseAdd("text/event-stream");
        return request;
    }

    public Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken = default) =>
        Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        foreach (var replica in _replicas)
            await replica.DisposeAsync();
        await _app.DisposeAsync();
    }

    private async Task HandleAsync(HttpContext context)
    {
        using var body = new MemoryStream();
        await context.Request.Body.CopyToAsync(body);
        var exchange = new RelayExchange
        {
            Method = new HttpMethod(context.Request.Method),
            PathAndQuery = context.Request.GetEncodedPathAndQuery(),
            Body = body.ToArray(),
            Repeatable = Repeatable,
            HoldTime = HoldTime,
            ForRelay = ForRelay,
        };
        await context.RequestServices.GetRequiredService<Relay>()
            .RelayAsync(context, exchange, new Route(this), context.RequestAborted);
    }

    private sealed class Route(RelayBench bench) : IRelayRoute
    {
        private int _next;

        public ValueTask<RelayTarget?> NextAsync(RelayFailure? previous, CancellationToken cancellationToken)
        {
            if (previous is not null)
                bench.Failures.Enqueue(previous);

            var id = bench.Order[_next++ % bench.Order.Count];
            var replica = bench._replicas.Single(replica => replica.Id == id);
            return new(new RelayTarget(replica.Id, replica.Address, bench.Hop));
        }

        public void Learned(RelayTarget target, string? owner, string? sessionId) => bench.Learned.Enqueue((target.ReplicaId, owner, sessionId));
    }
}

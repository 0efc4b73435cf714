using System.Collections.Concurrent;
using System.Security.Claims;
using McpHa.HighAvailability;
using McpHa.HighAvailability.Cluster;
using McpHa.HighAvailability.EventBus;
using McpHa.HighAvailability.Journal;
using McpHa.HighAvailability.Sessions;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace McpHa.Tests;

/// <summary>One replica of an <see cref="InProcessCluster"/>.</summary>
internal sealed class InProcessReplica : IAsyncDisposable
{
    /// <summary>Header that signs a user in.</summary>
    public const string UserHeader = "X-User";

    private readonly WebApplication _app;
    private readonly ErrorLog _errors;

    private InProcessReplica(string id, WebApplication app, ErrorLog errors)
    {
        (Id, _app, _errors) = (id, app, errors);
        Store = (InterceptedStore)app.Services.GetRequiredService<ISessionStore>();
        Bus = (CutOffEventBus)app.Services.GetRequiredService<IEventBus>();
    }

    public string Id { get; }

    public Uri Endpoint { get; private set; } = null!;

    public InterceptedStore Store { get; }

    public CutOffEventBus Bus { get; }

    public IReadOnlyCollection<string> Errors => _errors.Entries;

    public static async Task<InProcessReplica> StartAsync(
        InProcessCluster cluster, string id, Action<HighAvailabilityOptions>? options, Action<SessionStoreOptions>? storeOptions)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var errors = new ErrorLog();
        builder.Logging.ClearProviders().AddProvider(errors);
        var services = builder.Services;
        services.AddSingleton(cluster.Tool);
        services.AddSingleton(cluster.Sessions);
        services.AddSingleton<ISessionStore>(new InterceptedStore(new InMemorySessionStore(cluster.Sessions)));
        services.AddSingleton<ISessionJournal>(p => new InterceptedJournal(
            new InMemorySessionJournal(cluster.Sessions), (InterceptedStore)p.GetRequiredService<ISessionStore>()));
        services.AddSingleton<IEventBus>(new CutOffEventBus(cluster.Bus));
        services.AddSingleton<IReplicaRegistry>(cluster.Registry);
        services.AddSingleton<IStateHandleStore>(cluster.Handles);
        services.Configure<HighAvailabilityOptions>(o =>
        {
            o.ReplicaId = id;
            o.DrainTimeout = TimeSpan.Zero;
            o.HoldTime = TimeSpan.FromSeconds(10);
            options?.Invoke(o);
        });
        services.Configure<SessionStoreOptions>(o => storeOptions?.Invoke(o));

        // Nobody is found or lost in a test by time alone.
        services.Configure<ClusterOptions>(o => (o.HeartbeatInterval, o.Overdue) = (TimeSpan.FromSeconds(15), TimeSpan.FromSeconds(45)));
        services.AddMcpServer(o => o.ServerInfo = new() { Name = "test", Version = "1" })
            .WithHighAvailability()
            .WithTools<ScriptedTools>()
            .WithResources<ScriptedResources>();
        var app = builder.Build();
        app.Use((context, next) =>
        {
            if (context.Request.Headers[UserHeader].ToString() is { Length: > 0 } user)
                context.User = new ClaimsPrincipal(new ClaimsIdentity([new Claim("sub", user)], "test"));
            return next(context);
        });
        app.MapHighlyAvailableMcp("/mcp");
        await app.StartAsync();
        return new(id, app, errors) { Endpoint = new Uri(app.Urls.Single() + "/mcp") };
    }

    public T Get<T>() where T : notnull => _app.Services.GetRequiredService<T>();

    public LiveSession? Session(string id) => Get<SessionHost>().Find(id);

    public Task StopAsync() => _app.StopAsync();

    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync();
        await _app.DisposeAsync();
    }

    private sealed class ErrorLog : ILoggerProvider, ILogger
    {
        public ConcurrentQueue<string> Entries { get; } = new();

        // What a tool throws is the SDK's to log, and the test's business.
        public ILogger CreateLogger(string categoryName) =>
            categoryName.StartsWith("ModelContextProtocol", StringComparison.Ordinal) ? NullLogger.Instance : this;

        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Error;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (IsEnabled(logLevel))
                Entries.Enqueue($"{formatter(state, exception)} {exception}");
        }

        public void Dispose()
        {
        }
    }
}

using System.Collections.Concurrent;
using System.Security.Claims;
using Mcp.HighAvailability;
using Mcp.HighAvailability.Cluster;
using Mcp.HighAvailability.Sessions;
using Mcp.HighAvailability.Storage;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.DataProtection.Repositories;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace McpHa.Tests;

/// <summary>One replica of an <see cref="InProcessCluster"/>.</summary>
internal sealed class InProcessReplica : IAsyncDisposable
{
    /// <summary>Header that signs a user in: the subject (none: <c>-</c>), and roles after blanks.</summary>
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

    /// <summary>What lies between this replica and its peers. Clients of the test connect past it.</summary>
    public Link Link { get; private init; } = null!;

    public InterceptedStore Store { get; }

    public CutOffEventBus Bus { get; }

    public IReadOnlyCollection<string> Errors => _errors.Entries;

    public static async Task<InProcessReplica> StartAsync(
        InProcessCluster cluster, string id, Action<HighAvailabilityOptions>? options, Action<SessionStoreOptions>? storeOptions,
        Action<ClusterOptions>? clusterOptions, Action<IMcpServerBuilder>? server = null, Action<HighAvailabilityBuilder>? ha = null, string route = "/mcp")
    {
        WebApplication? app = null;
        var link = new Link { Target = () => new Uri(app!.Urls.Single()) };
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
        services.AddSingleton<IBroadcastLog>(p => new InterceptedBroadcastLog(cluster.Broadcasts, (InterceptedStore)p.GetRequiredService<ISessionStore>()));
        services.AddSingleton(Options.Create(cluster.BroadcastBounds));
        services.AddSingleton<IReplicaRegistry>(cluster.Registry);
        services.AddSingleton<IStateHandleStore>(cluster.Handles);
        services.AddSingleton<IXmlRepository>(cluster.Keys);
        services.Configure<HighAvailabilityOptions>(o =>
        {
            o.ReplicaId = id;
            o.AdvertisedAddress = link.Address;
            o.DrainTimeout = TimeSpan.Zero;

            // Nothing is given up in a test by time alone.
            o.HoldTime = o.DurableTimeout = Wait.Limit;
            options?.Invoke(o);
        });
        services.Configure<SessionStoreOptions>(o => storeOptions?.Invoke(o));

        // No replica is found or lost either.
        services.Configure<ClusterOptions>(o =>
        {
            (o.HeartbeatInterval, o.Overdue) = (TimeSpan.FromSeconds(15), TimeSpan.FromSeconds(45));
            clusterOptions?.Invoke(o);
        });
        var mcp = services.AddMcpServer(o => o.ServerInfo = new() { Name = "test", Version = "1" })
            .WithHighAvailability(ha)
            .WithTools<ScriptedTools>()
            .WithResources<ScriptedResources>();
        server?.Invoke(mcp);
        app = builder.Build();
        app.Use((context, next) =>
        {
            if (context.Request.Headers[UserHeader].ToString() is { Length: > 0 } user)
                context.User = SignedIn(user.Split(' '));
            return next(context);
        });
        app.MapHighlyAvailableMcp(route);
        await app.StartAsync();
        return new(id, app, errors) { Endpoint = new Uri(app.Urls.Single() + "/mcp"), Link = link };
    }

    public T Get<T>() where T : notnull => _app.Services.GetRequiredService<T>();

    public LiveSession? Session(string id) => Get<SessionHost>().Find(id);

    public Task StopAsync() => _app.StopAsync();

    /// <summary>Hands all sessions over, and lives on.</summary>
    public Task DrainAsync() => _app.Services.GetServices<IHostedService>().OfType<DrainService>().Single().StoppingAsync(default);

    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync();
        await _app.DisposeAsync();
        await Link.DisposeAsync();
    }

    private static ClaimsPrincipal SignedIn(string[] user) => new(new ClaimsIdentity(
        [.. user.Take(1).Where(subject => subject != "-").Select(subject => new Claim("sub", subject)), .. user.Skip(1).Select(role => new Claim(ClaimTypes.Role, role))], "test"));

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

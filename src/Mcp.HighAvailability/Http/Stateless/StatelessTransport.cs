using Mcp.HighAvailability.Protocol;
using Mcp.HighAvailability.Sessions;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using ModelContextProtocol.AspNetCore;
using ModelContextProtocol.Protocol;
using ModelContextProtocol.Server;

namespace Mcp.HighAvailability.Http;

/// <summary>The SDK's HTTP transport without sessions, as a function. It checks a request, creates a server for it, and writes the response.</summary>
/// <remarks>It has a service container of its own, so that the options of the application's <c>WithHttpTransport</c> stay the application's.</remarks>
internal sealed class StatelessTransport : IAsyncDisposable
{
    private readonly ServiceProvider _services;
    private readonly RequestDelegate _serve;

    public StatelessTransport(
        IOptions<McpServerOptions> options, IOptionsFactory<McpServerOptions> factory, IHostApplicationLifetime lifetime, ILoggerFactory loggerFactory,
        SessionHooks hooks)
    {
        var services = new ServiceCollection();
        services.AddLogging().AddMcpServer().WithHttpTransport(transport =>
        {
            transport.SessionMode = HttpServerSessionMode.Stateless;
            transport.ConfigureSessionOptions = async (context, server, cancellationToken) =>
            {
                // The SDK makes options for each request anew. What the application adds at run time is in the shared collections.
                if (!hooks.Configures)
                {
                    var shared = options.Value;
                    (server.ToolCollection, server.PromptCollection, server.ResourceCollection) =
                        (shared.ToolCollection, shared.PromptCollection, shared.ResourceCollection);
                }

                context.Features.Get<ServerSetup>()?.Apply(server);
                if (hooks.Any)
                    await hooks.ConfigureOwnAsync(ContextOf(context), server, cancellationToken);
            };
            if (hooks.Runs)
                transport.RunSessionHandler = (context, server, cancellationToken) => hooks.RunAsync(ContextOf(context), server, cancellationToken);

            McpSessionContext ContextOf(HttpContext context) => hooks.ContextOf(SessionOpening.Of(context), sessionId: null);
        });
        services.AddSingleton(options).AddSingleton(factory).AddSingleton(lifetime).AddSingleton(loggerFactory);
        _services = services.BuildServiceProvider();
        var routes = new Routes(_services);
        routes.MapMcp();

        // Without sessions there is POST alone.
        _serve = routes.DataSources.SelectMany(source => source.Endpoints).Single().RequestDelegate!;
    }

    /// <summary>Serves one request. Its server resolves from the request's own services.</summary>
    /// <param name="context">The request.</param>
    /// <param name="message">Its message, as it was checked.</param>
    /// <param name="setup">Completes the options of the request's server. It runs when the SDK has checked the request.</param>
    public Task ServeAsync(HttpContext context, JsonRpcMessage message, Action<McpServerOptions> setup)
    {
        // Not the bytes that the client sent: the SDK (2.4.0) would read them in the charset that the header names, and its converter refuses a message with
        // a member that JSON-RPC does not define when it reads from a stream.
        context.Request.Body = new MemoryStream(JsonRpc.Serialize(message), writable: false);
        context.Request.ContentType = "application/json";
        context.Features.Set(new ServerSetup(setup));
        return _serve(context);
    }

    public ValueTask DisposeAsync() => _services.DisposeAsync();

    private sealed record ServerSetup(Action<McpServerOptions> Apply);

    private sealed class Routes(IServiceProvider services) : IEndpointRouteBuilder
    {
        public IServiceProvider ServiceProvider => services;

        public ICollection<EndpointDataSource> DataSources { get; } = [];

        public IApplicationBuilder CreateApplicationBuilder() => new ApplicationBuilder(services);
    }
}

using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using ModelContextProtocol.AspNetCore;
using ModelContextProtocol.Server;

namespace McpHa.Tests;

/// <summary>What a server brings along that was written for <c>MapMcp</c>.</summary>
public sealed class ConvertedServerTests
{
    [Fact]
    public async Task Without_a_route_the_server_is_at_the_root()
    {
        await using var app = await StartAsync(static app => app.MapHighlyAvailableMcp());
        Assert.Equal("hi", await CallAsync(app, "/", "hello"));
    }

    [Fact]
    public async Task A_client_that_never_initialises_is_served_as_by_a_stateless_server()
    {
        await using var app = await StartAsync(static app => app.MapHighlyAvailableMcp("/mcp"));
        Assert.Equal("hi", await CallAsync(app, "/mcp", "hello"));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task The_SDKs_own_authorization_filters_and_options_may_stay(bool signedIn)
    {
        await using var app = await StartAsync(
            app =>
            {
                app.Use((context, next) =>
                {
                    if (signedIn)
                        context.User = new(new System.Security.Claims.ClaimsIdentity([new("sub", "ada")], "test"));
                    return next(context);
                });
                app.MapHighlyAvailableMcp();
            },
            server => server.AddAuthorizationFilters().Services.Configure<HttpServerTransportOptions>(static http => http.SessionMode = HttpServerSessionMode.Stateful).AddAuthorization());
        Assert.Equal(signedIn ? "for ada" : null, await CallAsync(app, "/", "guarded"));
    }

    [Fact]
    public async Task Two_endpoints_for_health_end_the_start_with_the_cure()
    {
        var failed = await Assert.ThrowsAsync<InvalidOperationException>(() => StartAsync(static app =>
        {
            app.MapHighlyAvailableMcp("/mcp");
            app.MapHealthChecks("/health");
            app.MapGet("/health", static () => "fine");
        }));
        Assert.Contains("MapHealthChecks(\"/health\")", failed.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task An_endpoint_of_the_application_that_shadows_health_is_named_at_the_start(bool shadows)
    {
        var log = new Warnings();
        await using var app = await StartAsync(
            app =>
            {
                app.MapHighlyAvailableMcp("/{category?}");
                if (shadows)
                    app.MapGet("/health", static () => "fine");
                else
                    app.MapHealthChecks("/health");
                app.MapPost("/health", static () => "not a probe");
            },
            server => server.Services.AddAuthorization().AddSingleton<ILoggerProvider>(log));
        Assert.Equal(shadows, log.Entries.Any(entry => entry.Contains("GET /health", StringComparison.Ordinal) && entry.Contains("MapHealthChecks", StringComparison.Ordinal)));
        using var client = new HttpClient { BaseAddress = new Uri(app.Urls.Single()) };
        Assert.Equal(shadows ? "fine" : "Healthy", await client.GetStringAsync("/health"));
    }

    private static async Task<WebApplication> StartAsync(Action<WebApplication> map, Action<IMcpServerBuilder>? configure = null)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        configure?.Invoke(builder.Services.AddMcpServer().WithHighAvailability().WithTools<StockTools>());
        if (configure is null)
            builder.Services.AddMcpServer().WithHighAvailability().WithTools<AnonymousTools>();
        var app = builder.Build();
        map(app);
        try
        {
            await app.StartAsync();
        }
        catch
        {
            await app.DisposeAsync();
            throw;
        }

        return app;
    }

    private static async Task<string?> CallAsync(WebApplication app, string path, string tool)
    {
        using var client = new HttpClient { BaseAddress = new Uri(app.Urls.Single()) };
        using var request = new HttpRequestMessage(HttpMethod.Post, path)
        {
            Content = JsonContent.Create(new JsonObject
            {
                ["jsonrpc"] = "2.0", ["id"] = 1, ["method"] = "tools/call", ["params"] = new JsonObject { ["name"] = tool, ["arguments"] = new JsonObject() },
            }),
        };
        request.Headers.TryAddWithoutValidation("Accept", "application/json, text/event-stream");
        using var response = await client.SendAsync(request);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        var text = await response.Content.ReadAsStringAsync();
        var json = JsonNode.Parse(text[text.IndexOf('{', StringComparison.Ordinal)..])!;
        return (string?)json["result"]?["content"]?[0]?["text"];
    }

    [McpServerToolType]
    private sealed class AnonymousTools
    {
        [McpServerTool(Name = "hello")]
        public static string Hello() => "hi";
    }

    [McpServerToolType]
    private sealed class StockTools
    {
        [McpServerTool(Name = "guarded"), Authorize]
        public static string Guarded(System.Security.Claims.ClaimsPrincipal user) => "for " + user.FindFirst("sub")?.Value;
    }

    private sealed class Warnings : ILoggerProvider, ILogger
    {
        public System.Collections.Concurrent.ConcurrentQueue<string> Entries { get; } = new();

        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel == LogLevel.Warning;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (IsEnabled(logLevel))
                Entries.Enqueue(formatter(state, exception));
        }

        public void Dispose()
        {
        }
    }
}

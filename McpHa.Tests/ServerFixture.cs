using McpHa.Server;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using ModelContextProtocol.Client;

namespace McpHa.Tests;

/// <summary>The server in this process, with its sessions in memory: enough for tests of tools.</summary>
public sealed class ServerFixture : IAsyncLifetime
{
    private readonly WebApplication _app = Build();

    public async ValueTask InitializeAsync() => await _app.StartAsync();

    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync();
        await _app.DisposeAsync();
    }

    /// <summary>Connects the SDK's client in a session of its own.</summary>
    public Task<McpClient> ConnectAsync() => McpClient.CreateAsync(
        new HttpClientTransport(new() { Endpoint = new Uri(_app.Urls.Single() + "/mcp"), TransportMode = HttpTransportMode.StreamableHttp }),
        new() { ProtocolVersion = "2025-11-25" });

    private static WebApplication Build()
    {
        var builder = WebApplication.CreateBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders();
        builder.Services.AddMcpServer().WithHighAvailability().WithFeatures();
        var app = builder.Build();
        app.MapHighlyAvailableMcp("/mcp");
        return app;
    }
}

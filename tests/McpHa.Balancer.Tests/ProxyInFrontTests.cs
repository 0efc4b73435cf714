using System.Net;
using System.Text.Json.Nodes;
using Mcp.HighAvailability.Cluster;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace McpHa.Tests;

/// <summary>A proxy ends TLS in front of the balancer, which serves plain HTTP. A real replica is behind it.</summary>
public sealed class ProxyInFrontTests
{
    // What ASP.NET Core reads from ASPNETCORE_FORWARDEDHEADERS_ENABLED. Tests share a process and so its variables.
    private const string Believe = "--FORWARDEDHEADERS_ENABLED=true";
    private const string PublicHost = "mcp.example.com";

    [Fact]
    public async Task A_replica_sees_the_scheme_and_the_address_that_the_proxy_tells_the_balancer()
    {
        await using var replica = await StartReplicaAsync();
        await using var bench = await StartAsync(replica, Believe);

        Assert.Equal("https mcp.example.com 203.0.113.7", await TextAsync(bench, "/seen"));
        Assert.Equal("served", await TextAsync(bench, "/redirected"));
        var metadata = JsonNode.Parse(await TextAsync(bench, "/.well-known/oauth-protected-resource/mcp"))!;
        Assert.Equal("https://mcp.example.com/mcp", (string?)metadata["resource"]);
    }

    [Fact]
    public async Task A_balancer_that_was_not_told_to_believes_no_proxy()
    {
        await using var replica = await StartReplicaAsync();
        await using var bench = await StartAsync(replica);

        Assert.Equal("http mcp.example.com 127.0.0.1", await TextAsync(bench, "/seen"));
        using var request = AsProxied("/redirected");
        using var response = await bench.SendAsync(request);
        Assert.Equal(HttpStatusCode.TemporaryRedirect, response.StatusCode);
    }

    private static async Task<BalancerBench> StartAsync(WebApplication replica, params string[] arguments)
    {
        var bench = await BalancerBench.StartAsync(options => options.AllowedHosts = PublicHost, arguments: arguments);
        await bench.SetAsync(replica.Services.GetRequiredService<SelfReplica>().Describe()!);
        return bench;
    }

    private static async Task<WebApplication> StartReplicaAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Services.AddHttpsRedirection(options => options.HttpsPort = 443);
        builder.Services.AddMcpServer().WithHighAvailability();
        builder.Services.AddAuthentication("cookies").AddCookie("cookies")
            .AddMcp(mcp => mcp.ResourceMetadata = new() { AuthorizationServers = { "https://login.example.com" } });
        var app = builder.Build();
        app.UseAuthentication();
        app.Map("/redirected", branch => branch.UseHttpsRedirection().Run(context => context.Response.WriteAsync("served")));
        app.MapHighlyAvailableMcp("/mcp");
        app.MapGet("/seen", (HttpContext context) => $"{context.Request.Scheme} {context.Request.Host} {context.Connection.RemoteIpAddress}");
        await app.StartAsync();
        return app;
    }

    private static async Task<string> TextAsync(BalancerBench bench, string path)
    {
        using var request = AsProxied(path);
        using var response = await bench.SendAsync(request);
        return await response.Content.ReadAsStringAsync();
    }

    private static HttpRequestMessage AsProxied(string path)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, path);
        request.Headers.Host = PublicHost;
        request.Headers.Add("X-Forwarded-For", "203.0.113.7");
        request.Headers.Add("X-Forwarded-Proto", "https");
        return request;
    }
}

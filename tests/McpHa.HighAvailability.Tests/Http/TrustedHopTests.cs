using System.Net;
using Mcp.HighAvailability.Cluster;
using McpHa.Tests.Relays;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace McpHa.Tests;

public sealed class TrustedHopTests : IAsyncLifetime
{
    private WebApplication _app = null!;
    private HttpClient _client = null!;

    private string Key => _app.Services.GetRequiredService<SelfReplica>().HopKey;

    public async ValueTask InitializeAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Services.AddHttpsRedirection(options => options.HttpsPort = 443);
        builder.Services.AddMcpServer().WithHighAvailability();
        builder.Services.AddAuthentication("cookies").AddCookie("cookies").AddMcp(mcp => mcp.ResourceMetadata = new() { AuthorizationServers = { "https://login.example.com" } });
        _app = builder.Build();
        _app.UseAuthentication();
        _app.Map("/redirected", branch => branch.UseHttpsRedirection().Run(context => context.Response.WriteAsync("served")));
        _app.MapHighlyAvailableMcp("/mcp");
        _app.MapGet("/seen", (HttpContext context) => $"{context.Request.Scheme} {context.Request.Host} {context.Connection.RemoteIpAddress} {string.Join(',', context.Request.Headers.Keys)}");
        await _app.StartAsync();
        _client = new(new SocketsHttpHandler { AllowAutoRedirect = false }) { BaseAddress = new Uri(_app.Urls.Single()) };
    }

    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        await _app.DisposeAsync();
    }

    [Fact]
    public async Task A_request_with_the_replicas_key_looks_as_it_did_to_the_relay()
    {
        Assert.StartsWith("https mcp.example.com 203.0.113.7 ", await SeenAsync(Key), StringComparison.Ordinal);
        Assert.DoesNotContain("X-Forwarded", await SeenAsync(Key), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData]
    [InlineData("")]
    [InlineData("0123456789abcdef0123456789abcdef")]
    public async Task Without_the_key_a_client_cannot_choose_how_its_request_looks(params string[] keys) =>
        Assert.StartsWith($"http {_client.BaseAddress!.Authority} 127.0.0.1 ", await SeenAsync(keys), StringComparison.Ordinal);

    [Fact]
    public async Task The_right_key_beside_another_is_not_believed_and_the_application_sees_neither()
    {
        var seen = await SeenAsync(Key, "x");
        Assert.StartsWith("http 127.0.0.1", seen, StringComparison.Ordinal);
        Assert.DoesNotContain("Mcp-Ha-Key", seen, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_redirect_to_https_meets_only_clients_that_came_by_http()
    {
        using var trusted = await SendAsync("/redirected", Key);
        Assert.Equal("served", await trusted.Content.ReadAsStringAsync());
        using var forged = await SendAsync("/redirected");
        Assert.Equal(HttpStatusCode.TemporaryRedirect, forged.StatusCode);
    }

    [Fact]
    public async Task The_metadata_of_AddMcp_name_the_public_address()
    {
        using var metadata = await SendAsync("/.well-known/oauth-protected-resource/mcp", Key);
        Assert.Equal("https://mcp.example.com/mcp", (string?)System.Text.Json.Nodes.JsonNode.Parse(await metadata.Content.ReadAsStringAsync())!["resource"]);
    }

    [Fact]
    public async Task A_host_that_the_relay_allows_is_not_judged_again()
    {
        using var trusted = await SendAsync("/mcp", Key);
        Assert.NotEqual(HttpStatusCode.Forbidden, trusted.StatusCode);
        using var request = new HttpRequestMessage(HttpMethod.Get, "/mcp");
        request.Headers.Host = "mcp.example.com";
        using var direct = await _client.SendAsync(request);
        Assert.Equal(HttpStatusCode.Forbidden, direct.StatusCode);
    }

    [Fact]
    public async Task A_relay_tells_its_own_view_of_the_client_and_the_key_of_the_replica()
    {
        await using var bench = await RelayBench.StartAsync();
        var replica = await bench.AddAsync("a");
        bench.Registry.Set(replica.Info with { HopKey = "secret" });
        await bench.Directory.RefreshAsync();
        var request = RelayBench.Post();
        request.Headers.Add("X-Forwarded-For", "203.0.113.7");
        request.Headers.Add("X-Forwarded-Proto", "https");
        request.Headers.Add("X-Forwarded-Host", "evil.example.com");
        request.Headers.Add("Forwarded", "for=203.0.113.7");
        request.Headers.Add("Mcp-Ha-Key", "forged");
        using var response = await bench.SendAsync(request);

        var seen = Assert.Single(replica.Requests).Headers;
        Assert.Equal(
            ("127.0.0.1", "http", bench.Client.BaseAddress!.Authority, "secret"),
            (seen["X-Forwarded-For"], seen["X-Forwarded-Proto"], seen["X-Forwarded-Host"], seen["Mcp-Ha-Key"]));
        Assert.False(seen.ContainsKey("Forwarded"));
    }

    private async Task<string> SeenAsync(params string[] keys)
    {
        using var response = await SendAsync("/seen", keys);
        return await response.Content.ReadAsStringAsync();
    }

    private async Task<HttpResponseMessage> SendAsync(string path, params string[] keys)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        request.Headers.Add("X-Forwarded-For", "203.0.113.7");
        request.Headers.Add("X-Forwarded-Proto", "https");
        request.Headers.Add("X-Forwarded-Host", "mcp.example.com");
        foreach (var key in keys)
            request.Headers.TryAddWithoutValidation("Mcp-Ha-Key", key);
        return await _client.SendAsync(request);
    }
}

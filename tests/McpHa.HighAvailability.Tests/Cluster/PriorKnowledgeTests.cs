using System.Net;
using System.Net.Sockets;
using System.Text;
using Mcp.HighAvailability.Cluster;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace McpHa.Tests.Cluster;

/// <summary>One port without TLS takes HTTP/1.1 and HTTP/2.</summary>
public sealed class PriorKnowledgeTests
{
    [Fact]
    public async Task Both_protocols_are_served_on_one_port()
    {
        await using var app = await StartAsync();
        using var client = new HttpMessageInvoker(new SocketsHttpHandler { UseProxy = false });
        Assert.Equal("HTTP/1.1 http", await AskAsync(HttpVersion.Version11));
        Assert.Equal("HTTP/2 http", await AskAsync(HttpVersion.Version20));

        async Task<string> AskAsync(Version version)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, app.Urls.First()) { Version = version, VersionPolicy = HttpVersionPolicy.RequestVersionExact };
            using var response = await client.SendAsync(request, default);
            return await response.Content.ReadAsStringAsync();
        }
    }

    [Theory]
    [InlineData("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", "HTTP/1.1 http")]
    [InlineData("PROPFIND / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", "HTTP/1.1 http")]
    [InlineData("PRI / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", "HTTP/1.1 http")]
    public async Task A_request_that_arrives_byte_by_byte_is_told_apart(string request, string expected)
    {
        await using var app = await StartAsync();
        using var client = new TcpClient { NoDelay = true };
        await client.ConnectAsync(IPAddress.Loopback, new Uri(app.Urls.First()).Port);
        foreach (var b in Encoding.ASCII.GetBytes(request))
            await client.GetStream().WriteAsync(new[] { b });
        using var reader = new StreamReader(client.GetStream());
        Assert.Contains(expected, await reader.ReadToEndAsync(), StringComparison.Ordinal);
    }

    private static async Task<WebApplication> StartAsync()
    {
        var priorKnowledge = new PriorKnowledge();
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0").ConfigureKestrel(server => server.ConfigureEndpointDefaults(priorKnowledge.Offer));
        var app = builder.Build();
        app.Run(context => context.Response.WriteAsync($"{context.Request.Protocol} {context.Request.Scheme}"));
        await app.StartAsync();
        Assert.True(priorKnowledge.IsOffered);
        return app;
    }
}

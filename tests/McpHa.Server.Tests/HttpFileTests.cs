using System.Net;
using System.Runtime.CompilerServices;
using System.Text;
using McpHa.Server;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace McpHa.Tests;

/// <summary>The requests of <c>McpHa.Server.http</c>, sent as an editor does.</summary>
public sealed class HttpFileTests
{
    private const string SessionHeader = "Mcp-Session-Id";

    [Fact]
    public async Task Every_request_of_the_http_file_succeeds()
    {
        var builder = WebApplication.CreateBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders();
        builder.Services.AddMcpServer().WithHighAvailability().WithFeatures();
        await using var app = builder.Build();
        app.MapHighlyAvailableMcp("/mcp");
        await app.StartAsync();
        using var http = new HttpClient();

        var session = "";
        var statuses = new List<HttpStatusCode>();
        foreach (var text in (await File.ReadAllTextAsync(FilePath())).Split("\n###").Where(text => text.Contains("{{endpoint}}\n", StringComparison.Ordinal)))
        {
            using var request = Parse(text, app.Urls.Single() + "/mcp", session);
            using var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
            statuses.Add(response.StatusCode);
            if (response.Headers.TryGetValues(SessionHeader, out var opened))
                session = opened.Single();
        }

        Assert.NotEmpty(session);
        Assert.Equal([HttpStatusCode.OK, HttpStatusCode.Accepted, HttpStatusCode.OK, HttpStatusCode.OK], statuses);
    }

    private static HttpRequestMessage Parse(string text, string endpoint, string session)
    {
        var parts = text.Replace("{{endpoint}}", endpoint, StringComparison.Ordinal).Replace("{{open.response.headers." + SessionHeader + "}}", session, StringComparison.Ordinal)
            .Split("\n\n", StringSplitOptions.RemoveEmptyEntries);
        var lines = parts[0].TrimEnd().Split('\n').Skip(1).Where(line => !line.StartsWith('#')).ToList();
        var line = lines[0].Split(' ');
        var request = new HttpRequestMessage(new(line[0]), line[1]);
        if (parts.Length > 1)
            request.Content = new StringContent(parts[1], Encoding.UTF8, "application/json");
        foreach (var header in lines.Skip(1).Select(header => header.Split(": ", 2)).Where(header => header[0] != "Content-Type"))
            request.Headers.TryAddWithoutValidation(header[0], header[1]);
        return request;
    }

    private static string FilePath([CallerFilePath] string here = "") =>
        Path.Combine(Path.GetDirectoryName(here)!, "..", "..", "McpHa.Server", "McpHa.Server.http");
}

using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.RegularExpressions;

namespace McpHa.Tests;

/// <summary>A solution with <c>--auth jwt</c> admits clients with a token that its README creates, and no others.</summary>
[Collection(TemplateCollection.Name)]
public sealed partial class BearerTests(TemplateFixture template)
{
    private const string Initialize = """
        { "jsonrpc": "2.0", "id": 1, "method": "initialize",
          "params": { "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "test", "version": "1" } } }
        """;

    private static readonly TimeSpan _limit = TimeSpan.FromMinutes(2);

    // It builds the server, which takes more than 20 s.
    [Fact(Explicit = true)]
    public async Task The_token_of_the_README_is_admitted_and_a_request_without_one_gets_401()
    {
        RedisServer.SkipIfMissing();
        await using var redis = new RedisServer();
        await redis.InitializeAsync();
        var choice = new Choice("Contoso.Tools") { Auth = "jwt" };
        var tree = new GeneratedTree(choice, await NewAsync(choice));
        // User secrets are kept there, so those of this machine stay as they are.
        var variables = new Dictionary<string, string> { ["APPDATA"] = template.NewFolder("secrets") };
        await DotNet.RunAsync(tree.Folder, "build", "Contoso.Tools.Server", "-nologo", "-v", "quiet");

        var command = TokenCommand().Match(tree.Read("README.md")).Groups[1].Value;
        var token = (await DotNet.RunAsync(tree.Folder, variables, command.Split(' '))).Trim();

        using var server = Start(tree, redis, variables);
        try
        {
            using var http = new HttpClient { BaseAddress = await AddressAsync(server) };
            Assert.Equal(HttpStatusCode.OK, await OpenAsync(http, token));
            Assert.Equal(HttpStatusCode.Unauthorized, await OpenAsync(http, token: null));
        }
        finally
        {
            server.Kill();
        }
    }

    private async Task<string> NewAsync(Choice choice)
    {
        var folder = template.NewFolder(choice.Name);
        await template.NewAsync([.. choice.Arguments, "--skip-restore", "-o", folder]);
        return folder;
    }

    // As "dotnet run" starts it, at a free port.
    private static Process Start(GeneratedTree tree, RedisServer redis, Dictionary<string, string> variables)
    {
        var project = tree.FullPath("Contoso.Tools.Server");
        var start = new ProcessStartInfo("dotnet", [Path.Combine(project, "bin", "Debug", "net10.0", "Contoso.Tools.Server.dll")])
        {
            WorkingDirectory = project,
            RedirectStandardOutput = true,
        };
        start.Environment["ASPNETCORE_ENVIRONMENT"] = "Development";
        start.Environment["ASPNETCORE_URLS"] = "http://127.0.0.1:0";
        start.Environment["ConnectionStrings__redis"] = redis.ConnectionString;
        foreach (var (name, value) in variables)
            start.Environment[name] = value;
        return Process.Start(start)!;
    }

    private static async Task<Uri> AddressAsync(Process server)
    {
        using var limit = new CancellationTokenSource(_limit);
        var said = new StringBuilder();
        while (await server.StandardOutput.ReadLineAsync(limit.Token) is { } line)
        {
            said.AppendLine(line);
            if (Listening().Match(line) is { Success: true } found)
            {
                // Read on, so that the server never waits for its output.
                _ = server.StandardOutput.ReadToEndAsync();
                return new Uri(found.Groups[1].Value);
            }
        }

        throw new InvalidOperationException($"The server ended:\n{said}");
    }

    private static async Task<HttpStatusCode> OpenAsync(HttpClient http, string? token)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/mcp") { Content = new StringContent(Initialize, Encoding.UTF8, "application/json") };
        request.Headers.Accept.ParseAdd("application/json, text/event-stream");
        if (token is not null)
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        using var response = await http.SendAsync(request);
        return response.StatusCode;
    }

    [GeneratedRegex(@"^TOKEN=\$\(dotnet (user-jwts create .*)\)\r?$", RegexOptions.Multiline)]
    private static partial Regex TokenCommand();

    [GeneratedRegex(@"Now listening on: (http://\S+)")]
    private static partial Regex Listening();
}

using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using McpHa.Tests.Commands;
using McpHa.Tests.Pages;

namespace McpHa.Tests;

/// <summary>
/// A stock server becomes two replicas by the commands and the lines of the page, and nothing else. Only the addresses of Redis and of the packages are others,
/// the packages have a version that no cache has, and their source goes into the folder's own configuration of NuGet.
/// </summary>
[Runs(PagePath, All = true)]
public sealed partial class AddToExistingTests
{
    private const string PagePath = "docs/add-to-existing.md";
    private const int ScreenLines = 48;

    // Beside what the page says that stays: attributes, filters and a using of the SDK's package.
    private const string StockProgram = """
        using ModelContextProtocol.AspNetCore;

        var builder = WebApplication.CreateBuilder(args);
        builder.Services.AddAuthorization();
        builder.Services.AddMcpServer()
            .WithHttpTransport()
            .AddAuthorizationFilters()
            .WithToolsFromAssembly();

        var app = builder.Build();
        app.MapMcp();
        app.Run();
        """;

    private const string StockTools = """
        using ModelContextProtocol.Server;

        [McpServerToolType]
        public static class BasketTools
        {
            [McpServerTool(ReadOnly = true)]
            public static string Session(McpServer server) => server.SessionId ?? "none";
        }
        """;

    private const string StockProject = """
        <Project Sdk="Microsoft.NET.Sdk.Web">
          <PropertyGroup>
            <TargetFramework>net10.0</TargetFramework>
            <Nullable>enable</Nullable>
            <ImplicitUsings>enable</ImplicitUsings>
          </PropertyGroup>
          <ItemGroup>
            <PackageReference Include="ModelContextProtocol.AspNetCore" Version="SDK" />
          </ItemGroup>
        </Project>
        """;

    private static string Sdk => SdkVersion().Match(Page.Read("src/Directory.Packages.props")).Groups[1].Value;

    [Fact]
    [Trait("Category", "Quick")]
    public void The_page_fits_one_screen() => Assert.InRange(Page.Read(PagePath).TrimEnd('\n').Split('\n').Length, 1, ScreenLines);

    [Fact]
    [Trait("Category", "Quick")]
    public void The_page_names_the_version_of_the_SDK() =>
        Assert.Contains($"`ModelContextProtocol.AspNetCore` {Sdk}", Page.Read(PagePath), StringComparison.Ordinal);

    [Fact]
    public async Task A_stock_server_made_highly_available_by_the_lines_of_the_page_survives_kill()
    {
        Assert.SkipWhen(Shell.Unavailable is not null, Shell.Unavailable ?? "");
        RedisServer.SkipIfMissing();
        await using var redis = new RedisServer();
        await redis.InitializeAsync();
        var folder = Directory.CreateTempSubdirectory("existing-");
        try
        {
            await using var shell = new Shell(folder.FullName);
            await WriteStockServerAsync(shell, folder.FullName);
            foreach (var block in Page.Blocks(PagePath))
            {
                if (block.IsCommands)
                    await shell.RunAsync(Here(block.Text, folder.FullName));
                else if (block.Language == "diff")
                    await ChangeAsync(Path.Combine(folder.FullName, "Program.cs"), block.Text.Replace("localhost:6379", redis.ConnectionString, StringComparison.Ordinal));
            }

            // The example of the README, which needs the packages, is compiled along.
            await File.WriteAllTextAsync(
                Path.Combine(folder.FullName, "CountTools.cs"), Page.Blocks("README.md").Single(block => block.Text.Contains("class CountTools", StringComparison.Ordinal)).Text);
            await shell.RunAsync("dotnet build -c Release -v quiet -nologo");
            var (one, other) = (await StartAsync(shell), await StartAsync(shell));
            await KillAndGoOnAsync(shell, one, other);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    // The two packages alone, as they were built: eng/pack.sh itself is for McpHa.Template.Tests.
    private static string Here(string commands, string folder) => commands
        .Replace("../McpHa/eng/pack.sh", $"""
            for library in Mcp.HighAvailability Mcp.HighAvailability.Redis; do
              dotnet pack {Page.Root}/src/$library -c Release --no-build -o {folder}/feed -p:Version=99.0.0 -v quiet -nologo
            done
            """, StringComparison.Ordinal)
        .Replace("../McpHa/artifacts/packages", $"{folder}/feed", StringComparison.Ordinal)
        .Replace("dotnet nuget add source", "dotnet nuget add source --configfile nuget.config", StringComparison.Ordinal);

    // Caches that end with the test.
    private static async Task WriteStockServerAsync(Shell shell, string folder)
    {
        await File.WriteAllTextAsync(Path.Combine(folder, "Basket.csproj"), StockProject.Replace("SDK", Sdk, StringComparison.Ordinal));
        await File.WriteAllTextAsync(Path.Combine(folder, "Program.cs"), StockProgram);
        await File.WriteAllTextAsync(Path.Combine(folder, "BasketTools.cs"), StockTools);
        await File.WriteAllTextAsync(Path.Combine(folder, "nuget.config"), "<configuration />");
        await shell.RunAsync("""
            export NUGET_FALLBACK_PACKAGES=$(dotnet nuget locals global-packages --list --force-english-output | sed 's/^global-packages: *//')
            export NUGET_PACKAGES=$PWD/packages
            """);
    }

    // Lines with '-' are in the file as they are written, one after the other, and are replaced by the lines with '+' that follow them.
    private static async Task ChangeAsync(string file, string diff)
    {
        var text = await File.ReadAllTextAsync(file);
        foreach (Match change in Change().Matches(diff + "\n"))
        {
            var (old, changed) = (Lines(change.Groups["old"]), Lines(change.Groups["new"]));
            Assert.Contains(old, text, StringComparison.Ordinal);
            text = text.Replace(old, changed, StringComparison.Ordinal);
        }

        await File.WriteAllTextAsync(file, text);

        static string Lines(Group lines) => string.Join('\n', lines.Captures.Select(line => line.Value));
    }

    private static async Task<(Uri Address, string ProcessId)> StartAsync(Shell shell)
    {
        var address = new Uri($"http://127.0.0.1:{RedisServer.FreePort()}");
        var output = await shell.RunAsync($"dotnet bin/Release/net10.0/Basket.dll --urls {address.OriginalString} > {address.Port}.log 2>&1 &\necho $!");
        using var client = new HttpClient();
        await Wait.UntilAsync(async () =>
        {
            try
            {
                return await client.GetStringAsync(new Uri(address, "/health")) == "Healthy";
            }
            catch (HttpRequestException)
            {
                return false;
            }
        }, $"replica at {address}");
        return (address, output[^1]);
    }

    private static async Task KillAndGoOnAsync(Shell shell, (Uri Address, string ProcessId) one, (Uri Address, string ProcessId) other)
    {
        using var client = new HttpClient();
        var (session, _) = await PostAsync(one.Address, null, "initialize", """{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"test","version":"1"}}""");
        Assert.Equal(session, await CallAsync(one.Address, session));

        // A client that never initialises, as the SDK's default serves it.
        Assert.Equal("none", await CallAsync(other.Address, null));

        await shell.RunAsync($"kill -9 {one.ProcessId}");
        Assert.Equal(session, await CallAsync(other.Address, session));

        async Task<string?> CallAsync(Uri address, string? id) =>
            (string?)(await PostAsync(address, id, "tools/call", """{"name":"session","arguments":{}}""")).Answer["result"]?["content"]?[0]?["text"];

        async Task<(string Session, JsonNode Answer)> PostAsync(Uri address, string? id, string method, string parameters)
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, address)
            {
                Content = JsonContent.Create(new JsonObject { ["jsonrpc"] = "2.0", ["id"] = 1, ["method"] = method, ["params"] = JsonNode.Parse(parameters) }),
            };
            request.Headers.TryAddWithoutValidation("Accept", "application/json, text/event-stream");
            if (id is not null)
                request.Headers.Add("Mcp-Session-Id", id);
            using var response = await client.SendAsync(request);
            var text = await response.Content.ReadAsStringAsync();
            Assert.True(response.StatusCode == HttpStatusCode.OK, $"{method}: {response.StatusCode} {text}");
            var json = text.Split('\n').Last(line => line.Contains("\"jsonrpc\"", StringComparison.Ordinal));
            return (response.Headers.TryGetValues("Mcp-Session-Id", out var ids) ? ids.Single() : "", JsonNode.Parse(json[json.IndexOf('{', StringComparison.Ordinal)..])!);
        }
    }

    [GeneratedRegex("""ModelContextProtocol.AspNetCore" Version="([^"]+)""")]
    private static partial Regex SdkVersion();

    [GeneratedRegex(@"(?:-(?<old>.*)\n)+(?:\+(?<new>.*)\n)+")]
    private static partial Regex Change();
}

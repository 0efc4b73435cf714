using System.Text.Json;
using ModelContextProtocol;
using ModelContextProtocol.Client;
using ModelContextProtocol.Protocol;

namespace McpHa.Tests;

/// <summary><c>up</c> on a machine that has the .NET SDK and no <c>redis-server</c>, and in it the sample server with all that it has.</summary>
public sealed class FreshMachineTests(FreshMachineTests.Fresh machine) : IClassFixture<FreshMachineTests.Fresh>
{
    [Fact]
    public void The_store_is_Garnet_and_a_line_says_why()
    {
        var cluster = machine.Cluster;

        Assert.Contains("with a Garnet 2.2.8 of their own, because redis-server is not installed.", cluster.Output, StringComparison.Ordinal);
        Assert.True(Processes.IsAlive(cluster.State.Redis!.Pid!.Value));
        Assert.Equal(2, cluster.State.Replicas.Count);
    }

    [Fact]
    public async Task Without_NuGet_it_ends_with_the_three_cures()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Lab does not run on Windows");
        var folder = Directory.CreateTempSubdirectory("lab-").FullName;
        Directory.CreateDirectory(Path.Combine(folder, ".nuget", "NuGet"));
        await File.WriteAllTextAsync(
            Path.Combine(folder, ".nuget", "NuGet", "NuGet.Config"), "<configuration><packageSources><clear /></packageSources></configuration>");

        var (code, output) = await LabCluster.StartAndFailAsync(new()
        {
            Environment = new Dictionary<string, string?>
            {
                ["PATH"] = folder,
                // NuGet has no source and no packages.
                ["HOME"] = folder,
                ["DOTNET_CLI_HOME"] = folder,
            },
        });

        Assert.Equal(1, code);
        Assert.Contains("Install redis-server, name an existing Redis with --redis, or make NuGet reachable.", output, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", output, StringComparison.Ordinal);
        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public async Task A_session_is_served_through_the_balancer_and_by_every_replica()
    {
        var cluster = machine.Cluster;
        await using var client = await ConnectAsync(cluster.Endpoint);
        await CallAsync(client, "notes_add", ("text", "shared"));

        foreach (var replica in cluster.State.Replicas)
        {
            await using var direct = await McpClient.ResumeSessionAsync(
                new HttpClientTransport(new HttpClientTransportOptions
                {
                    Endpoint = LabCluster.EndpointOf(replica),
                    TransportMode = HttpTransportMode.StreamableHttp,
                    KnownSessionId = client.SessionId!,
                    OwnsSession = false,
                }),
                new ResumeClientSessionOptions
                {
                    ServerCapabilities = client.ServerCapabilities,
                    ServerInfo = client.ServerInfo!,
                    NegotiatedProtocolVersion = client.NegotiatedProtocolVersion,
                });
            Assert.Contains("shared", await CallAsync(direct, "notes_list"), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task The_sample_server_has_its_tools_with_their_arguments()
    {
        var cluster = machine.Cluster;
        await using var client = await ConnectAsync(cluster.Endpoint);

        var tools = (await client.ListToolsAsync()).ToDictionary(
            tool => tool.Name,
            tool => string.Join(' ', tool.JsonSchema.GetProperty("properties").EnumerateObject().Select(property => property.Name)));

        Assert.Equal(
            new SortedDictionary<string, string>
            {
                ["announce"] = "text",
                ["ask_name"] = "purpose",
                ["countdown"] = "seconds intervalMs",
                ["counter_increment"] = "counter",
                ["deliver"] = "seconds parcel",
                ["echo"] = "text",
                ["notes_add"] = "text notebook",
                ["notes_list"] = "notebook",
                ["report"] = "seconds",
                ["summarize"] = "text",
                ["where_am_i"] = "",
            },
            new SortedDictionary<string, string>(tools));
        Assert.Equal("failover_demo", Assert.Single(await client.ListPromptsAsync()).Name);
        Assert.Equal("announcements://board/latest", Assert.Single(await client.ListResourcesAsync()).Uri);
    }

    [Theory]
    [InlineData("countdown", "seconds", -1, "'seconds' must be between 0 and 3600")]
    [InlineData("countdown", "seconds", "soon", "must be of type number")]
    [InlineData("notes_add", "text", " ", "'text' must not be empty")]
    [InlineData("notes_list", "notebook", "guessed", "Unknown state handle")]
    [InlineData("echo", "test", "misspelt", "'text' is missing")]
    public async Task A_wrong_argument_is_explained(string tool, string argument, object value, string explanation)
    {
        var cluster = machine.Cluster;
        await using var client = await ConnectAsync(cluster.Endpoint);

        var result = await client.CallToolAsync(tool, new Dictionary<string, object?> { [argument] = value });

        Assert.True(result.IsError);
        Assert.Contains(explanation, Assert.IsType<TextContentBlock>(Assert.Single(result.Content)).Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_sample_server_asks_its_client_and_reaches_subscribers()
    {
        var cluster = machine.Cluster;
        var updated = new TaskCompletionSource<string>();
        await using var client = await ConnectAsync(cluster.Endpoint, new McpClientHandlers
        {
            ElicitationHandler = (_, _) => ValueTask.FromResult(new ElicitResult
            {
                Action = "accept",
                Content = new Dictionary<string, JsonElement> { ["name"] = JsonSerializer.SerializeToElement("Ada") },
            }),
            SamplingHandler = (_, _, _) => ValueTask.FromResult(new CreateMessageResult { Model = "none", Content = [new TextContentBlock { Text = "short" }] }),
        });
        await using var subscription = await client.SubscribeToResourceAsync(
            "announcements://board/latest",
            (update, _) =>
            {
                updated.TrySetResult(update.Uri);
                return default;
            });

        Assert.Equal("Hello, Ada!", await CallAsync(client, "ask_name"));
        Assert.Equal("short", await CallAsync(client, "summarize", ("text", "long")));
        await CallAsync(client, "announce", ("text", "news"));

        Assert.Equal("announcements://board/latest", await updated.Task.WaitAsync(Wait.Limit));
        var latest = await client.ReadResourceAsync("announcements://board/latest");
        Assert.Equal("news", Assert.IsType<TextResourceContents>(Assert.Single(latest.Contents)).Text);
    }

    private static Task<McpClient> ConnectAsync(Uri endpoint, McpClientHandlers? handlers = null) => McpClient.CreateAsync(
        new HttpClientTransport(new HttpClientTransportOptions { Endpoint = endpoint, TransportMode = HttpTransportMode.StreamableHttp }),
        new McpClientOptions { ProtocolVersion = "2025-11-25", Handlers = handlers ?? new() });

    private static async Task<string> CallAsync(McpClient client, string tool, params (string Name, object? Value)[] arguments)
    {
        var result = await client.CallToolAsync(tool, arguments.ToDictionary(argument => argument.Name, argument => argument.Value));
        var text = Assert.IsType<TextContentBlock>(Assert.Single(result.Content)).Text;
        Assert.False(result.IsError ?? false, text);
        return text;
    }

    /// <summary>One cluster for all of them: none of the tests breaks anything.</summary>
    public sealed class Fresh : IAsyncLifetime
    {
        private LabCluster? _cluster;

        public LabCluster Cluster
        {
            get
            {
                Assert.SkipWhen(_cluster is null, "Lab does not run on Windows");
                return _cluster!;
            }
        }

        public async ValueTask InitializeAsync()
        {
            if (!OperatingSystem.IsWindows())
                _cluster = await LabCluster.StartAsync(new() { Replicas = 2, Environment = new Dictionary<string, string?> { ["PATH"] = Path.GetTempPath() } });
        }

        public async ValueTask DisposeAsync()
        {
            if (_cluster is not null)
                await _cluster.DisposeAsync();
        }
    }
}

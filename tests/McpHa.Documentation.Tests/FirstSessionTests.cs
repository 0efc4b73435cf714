using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Mcp.HighAvailability.Lab.Kill;
using McpHa.Tests.Commands;
using McpHa.Tests.Monitoring;
using McpHa.Tests.Pages;
using ModelContextProtocol.Client;
using ModelContextProtocol.Protocol;

namespace McpHa.Tests;

/// <summary>The first minutes that the pages show are what happens on a cluster of real processes.</summary>
[Runs(Readme)]
[Runs(ConfigurationPage)]
[Runs(OperationsPage)]
public sealed partial class FirstSessionTests
{
    private const string Readme = "README.md";
    private const string ConfigurationPage = "docs/configuration.md";
    private const string OperationsPage = "docs/operations.md";
    private const string Key = "0123456789abcdef";

    [Fact]
    public async Task The_cluster_comes_up_a_call_survives_its_replica_and_operators_get_their_answers_as_shown()
    {
        Assert.SkipWhen(LabCluster.Unavailable is not null, LabCluster.Unavailable ?? "");
        Assert.SkipWhen(Shell.Unavailable is not null, Shell.Unavailable ?? "");
        var blocks = Blocks(Readme);
        var (start, kill) = (blocks[0].Text.Split('\n'), blocks[1].Text.Split('\n'));
        Assert.Equal("$ ./run --lab", start[0]);
        Assert.Equal("$ ./run --kill", kill[0]);
        Assert.Contains(start[1], Page.Read("run").Replace("\"", "", StringComparison.Ordinal), StringComparison.Ordinal);

        // ./run --lab is "up", on port 5200.
        await using var cluster = await LabCluster.StartAsync(new() { Environment = new Dictionary<string, string?> { ["Balancer__Operations__Key"] = Key } });
        AssertShown(start.Skip(2), cluster.Output.Split('\n'));

        var survived = await KillAsync(cluster, KillRun.Countdown);
        AssertShown(kill.Skip(1), survived);
        Assert.Contains(survived, line => line.Contains("The call survived", StringComparison.Ordinal));
        var refused = await KillAsync(cluster, KillRun.Deliver);
        Assert.Contains(refused, line => line.Contains("error -32010", StringComparison.Ordinal));

        await using var shell = new Shell(cluster.Folder);
        await LookUpAsync(shell, cluster);
        await DrainAsync(shell, cluster);
        await AssertMetricNamesAsync(cluster);
    }

    // ./run --kill is "kill".
    private static async Task<string[]> KillAsync(LabCluster cluster, string tool)
    {
        var output = new StringWriter();
        Assert.True(await new KillRun(cluster.Endpoint, token: null, output).RunAsync(tool, CancellationToken.None), output.ToString());
        await cluster.WaitForAsync(state => state.Replicas.Count == 3, "the killed replica to be replaced");
        return output.ToString().Split('\n');
    }

    private static async Task LookUpAsync(Shell shell, LabCluster cluster)
    {
        await using var client = await McpClient.CreateAsync(
            new HttpClientTransport(new() { Endpoint = cluster.Endpoint, TransportMode = HttpTransportMode.StreamableHttp }),
            new() { ProtocolVersion = "2025-11-25" });
        var owner = (string)JsonNode.Parse(await TextAsync(client, "where_am_i"))!["replica"]!;
        await cluster.KillAndReplaceAsync(owner);
        await TextAsync(client, "where_am_i");
        var command = Blocks(OperationsPage).Single().Commands.Single().Replace("5200", $"{cluster.Port}", StringComparison.Ordinal);

        var answer = JsonNode.Parse(string.Concat(await shell.RunAsync($"SESSION={client.SessionId}\n{command} -sf")))!;

        Assert.Contains(cluster.State.Replicas, replica => replica.Id == (string?)answer["owner"]);
        Assert.Contains(answer["hops"]!.AsArray(), hop => (string?)hop!["from"] == owner && (string?)hop["reason"] == "owner-lost");
    }

    private static async Task<string> TextAsync(McpClient client, string tool) =>
        string.Concat((await client.CallToolAsync(tool)).Content.OfType<TextContentBlock>().Select(text => text.Text));

    private static async Task DrainAsync(Shell shell, LabCluster cluster)
    {
        var block = Blocks(ConfigurationPage).Single();
        var command = ReplicaName().Replace(block.Commands.Single(), cluster.State.Replicas[0].Id)
            .Replace("5200", $"{cluster.Port}", StringComparison.Ordinal);

        var answer = JsonNode.Parse(string.Concat(await shell.RunAsync($"KEY={Key}\n{command} -sf")))!.AsObject();

        var shown = JsonNode.Parse(block.Text.Split('\n')[1])!.AsObject();
        Assert.Equal(shown.Select(member => member.Key), answer.Select(member => member.Key));
        Assert.Equal(cluster.State.Replicas[0].Id, (string?)answer["replica"]);
    }

    // The names of alert rules and dashboard are made from docs/telemetry.md; here is what a balancer really serves.
    private static async Task AssertMetricNamesAsync(LabCluster cluster)
    {
        using var http = new HttpClient();
        var text = await http.GetStringAsync(new Uri(cluster.Endpoint, "/metrics"));
        var names = PrometheusNames.In(Comment().Replace(text, "")).ToArray();

        Assert.NotEmpty(names);
        // Seconds: with the exporter's own boundaries a percentile of them would say nothing.
        Assert.Contains("mcp_ha_balancer_call_duration_seconds_bucket{otel_scope_name=\"Mcp.HighAvailability\",le=\"0.1\"}", text, StringComparison.Ordinal);
        Assert.DoesNotContain(names, name => !PrometheusNames.All.Contains(name));
    }

    private static Block[] Blocks(string page) => [.. Page.Blocks(page).Where(block => block.RunBy == nameof(FirstSessionTests))];

    // Every line of the page is one of the real ones, but for its numbers.
    private static void AssertShown(IEnumerable<string> shown, IEnumerable<string> lines)
    {
        var forms = lines.Select(Form).ToHashSet();
        Assert.DoesNotContain(shown.Where(line => line != "…"), line => !forms.Contains(Form(line)));
    }

    private static string Form(string line) => Numbers().Replace(line.Trim(), "#");

    [GeneratedRegex(@"(?<=^Session )\S+|server\d-[0-9a-f]+|[0-9]+(?:\.[0-9]+)?|(?<=\S) +")]
    private static partial Regex Numbers();

    [GeneratedRegex(@"server\d-[0-9a-f]{4}")]
    private static partial Regex ReplicaName();

    [GeneratedRegex("^#.*$", RegexOptions.Multiline)]
    private static partial Regex Comment();
}

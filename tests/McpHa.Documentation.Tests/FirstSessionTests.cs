using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using McpHa.Tests.Commands;
using McpHa.Tests.Pages;

namespace McpHa.Tests;

/// <summary>What the README shows of the first session that outlives its process is what happens.</summary>
[Runs("README.md")]
[Runs(ConfigurationPage)]
public sealed partial class FirstSessionTests
{
    private const string ConfigurationPage = "docs/configuration.md";
    private const string Key = "0123456789abcdef";

    private static readonly Block[] Blocks = [.. Page.Blocks("README.md").SkipWhile(block => block.RunBy != nameof(FirstSessionTests)).Take(3)];

    [Fact]
    public async Task The_cluster_comes_up_and_the_session_outlives_its_process_as_shown()
    {
        Assert.SkipWhen(LabCluster.Unavailable is not null, LabCluster.Unavailable ?? "");
        Assert.SkipWhen(Shell.Unavailable is not null, Shell.Unavailable ?? "");
        var (start, session, shown) = (Blocks[0].Text.Split('\n'), Blocks[1].Text, Blocks[2].Text.Split('\n'));
        Assert.Equal("$ ./run --lab", start[0]);
        Assert.Contains(start[1], Page.Read("run").Replace("\"", "", StringComparison.Ordinal), StringComparison.Ordinal);

        // ./run --lab is "up", on port 5200.
        await using var cluster = await LabCluster.StartAsync(new() { Environment = new Dictionary<string, string?> { ["Balancer__Operations__Key"] = Key } });
        var lines = cluster.Output.Split('\n').Select(Form).ToHashSet();
        Assert.DoesNotContain(start.Skip(2), line => !lines.Contains(Form(line)));

        await using var shell = new Shell(cluster.Folder);
        var output = await shell.RunAsync(session.Replace("5200", $"{cluster.Port}", StringComparison.Ordinal));

        var said = string.Join('\n', output);
        var served = Served().Matches(said).Select(match => match.Groups[1].Value).ToArray();
        Assert.Equal(2, served.Length);
        Assert.NotEqual(served[0], served[1]);
        Assert.Contains($"--- killed {served[0]}", output);
        Assert.Equal(["1", "2", "3", "4", "5", "6"], Progress().Matches(said).Select(match => match.Groups[1].Value));
        Assert.Single(output, line => line.Contains("liftoff", StringComparison.Ordinal));

        await DrainAsync(shell, cluster);

        // Every line of the page is one of the real ones, but for its numbers.
        var forms = output.Select(Form).ToHashSet();
        Assert.DoesNotContain(shown.Where(line => line != "…"), line => !forms.Contains(Form(line)));
    }

    private static async Task DrainAsync(Shell shell, LabCluster cluster)
    {
        var block = Page.Blocks(ConfigurationPage).Single(block => block.RunBy == nameof(FirstSessionTests));
        var command = ReplicaName().Replace(block.Commands.Single(), cluster.State.Replicas[0].Id).Replace("5200", $"{cluster.Port}", StringComparison.Ordinal);

        var answer = JsonNode.Parse(string.Concat(await shell.RunAsync($"KEY={Key}\n{command} -sf")))!.AsObject();

        var shown = JsonNode.Parse(block.Text.Split('\n')[1])!.AsObject();
        Assert.Equal(shown.Select(member => member.Key), answer.Select(member => member.Key));
        Assert.Equal(cluster.State.Replicas[0].Id, (string?)answer["replica"]);
    }

    private static string Form(string line) => Numbers().Replace(line.TrimEnd(), "#");

    [GeneratedRegex(@"\bid: [a-z0-9]+-[0-9]+|server\d-[0-9a-f]+|[0-9]+|(?<=\S) +")]
    private static partial Regex Numbers();

    [GeneratedRegex(@"server\d-[0-9a-f]{4}")]
    private static partial Regex ReplicaName();

    [GeneratedRegex(@"served by process (\d+)")]
    private static partial Regex Served();

    [GeneratedRegex("\"progress\":(\\d+)")]
    private static partial Regex Progress();
}

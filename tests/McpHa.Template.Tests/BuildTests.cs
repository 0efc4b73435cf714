using System.Text.Json.Nodes;

namespace McpHa.Tests;

/// <summary>
/// What is generated builds without a warning, and its own tests pass; with the lab these start a cluster of real processes, kill its replicas and see
/// that the SDK's client goes on. Builds are slow, so two combinations stand for all; the explicit tests build every name and many more.
/// </summary>
[Collection(TemplateCollection.Name)]
public sealed class BuildTests(TemplateFixture template)
{
    private static readonly Choice Default = new("Contoso.Tools");

    private static readonly Choice Unusual = new(".StartWithDot") { Replicas = 2, Redis = "existing", LegacySse = true, Auth = "jwt", Samples = false };

    /// <summary>Every name, and every value of every option.</summary>
    public static TheoryData<int> Pairwise => [.. Enumerable.Range(0, Choices.Pairwise.Length)];

    [Fact]
    public Task The_default_builds_without_a_warning_and_its_tests_pass() => BuildAndTestAsync(Default);

    [Fact]
    public Task An_unusual_choice_builds_without_a_warning_and_its_tests_pass() => BuildAndTestAsync(Unusual);

    [Theory(Explicit = true)]
    [MemberData(nameof(Pairwise))]
    public Task Every_choice_builds_without_a_warning_and_its_tests_pass(int number) => BuildAndTestAsync(Choices.Pairwise[number]);

    private async Task BuildAndTestAsync(Choice choice)
    {
        var folder = template.NewFolder(choice.EffectiveName);
        var said = await template.NewAsync([.. choice.Arguments, "-o", folder]);
        var tree = new GeneratedTree(choice, folder);
        Assert.True(tree.Files.Any(file => file.EndsWith("/obj/project.assets.json", StringComparison.Ordinal)), $"Nothing was restored:\n{said}");

        var solution = Path.Combine(folder, choice.EffectiveName + ".slnx");
        await DotNet.RunAsync(folder, "build", solution, "-c", "Release", "-nologo", "-v", "quiet", "-warnaserror", "-warnnotaserror:NU1603");

        if (!choice.Tests)
            return;
        var results = Path.Combine(folder, "results");
        await DotNet.RunAsync(folder, "test", "--solution", solution, "-c", "Release", "--no-build", "--results-directory", results, "--report-xunit-ctrf", "--report-xunit-ctrf-filename", "tests.json");
        var outcomes = Outcomes(Path.Combine(results, "tests.json"));
        Assert.NotEmpty(outcomes);
        if (choice.Lab && CanRunClusters)
        {
            Assert.Contains(outcomes, outcome => outcome.Name == "A_session_goes_on_when_one_replica_after_the_other_is_killed");
            Assert.All(outcomes, outcome => Assert.Equal("passed", outcome.Result));
        }
    }

    private static bool CanRunClusters { get; } = !OperatingSystem.IsWindows()
        && (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator).Any(folder => File.Exists(Path.Combine(folder, "redis-server")));

    private static List<(string Name, string Result)> Outcomes(string report) =>
    [
        .. JsonNode.Parse(File.ReadAllText(report))!["results"]!["tests"]!.AsArray()
            .Select(test => (((string)test!["name"]!).Split('.')[^1], (string)test["status"]!)),
    ];
}

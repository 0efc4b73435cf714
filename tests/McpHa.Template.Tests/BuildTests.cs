using System.Text.Json.Nodes;

namespace McpHa.Tests;

/// <summary>Generated solutions build without a warning, their own tests pass, and a newer version of the packages is an upgrade.</summary>
[Collection(TemplateCollection.Name)]
public sealed class BuildTests(TemplateFixture template)
{
    // Of all choices, those with the most unusual name and options.
    private static readonly Choice _unusual = Choices.Pairwise[2];

    public static TheoryData<int> Pairwise => [.. Enumerable.Range(0, Choices.Pairwise.Length)];

    [Fact]
    public async Task The_default_solution_builds_passes_its_tests_and_upgrades()
    {
        var folder = await BuildAsync(Choices.Default);
        await TestAsync(folder, Choices.Default);
        AssertNoData(folder);

        var newer = $"{template.Version}.1";
        await template.PackAsync(newer, Path.Combine(folder, "packages"));
        await ReplaceVersionAsync(folder, newer);
        await DotNet.RunAsync(folder, "build", "Contoso.Tools.Server", "-c", "Release", "-nologo", "-v", "quiet", "-warnaserror");

        var output = Path.Combine(folder, "Contoso.Tools.Server", "bin", "Release", "net10.0", "Contoso.Tools.Server.deps.json");
        Assert.Contains($"Mcp.HighAvailability.Redis/{newer}", await File.ReadAllTextAsync(output), StringComparison.Ordinal);
        Assert.Contains(newer, await DotNet.RunAsync(folder, "tool", "restore"), StringComparison.Ordinal);
        Assert.Contains("chaos", await DotNet.RunAsync(folder, "mcp-ha", "--help"), StringComparison.Ordinal);
    }

    [Fact]
    public Task A_solution_with_unusual_options_and_name_builds() => BuildAsync(_unusual);

    [Theory(Explicit = true)]
    [MemberData(nameof(Pairwise))]
    public async Task Every_choice_builds_and_passes_its_tests(int number)
    {
        var choice = Choices.Pairwise[number];
        var folder = await BuildAsync(choice);

        // An existing store has to be named first.
        if (choice.Tests && choice.Store != "existing")
            await TestAsync(folder, choice);
    }

    private async Task<string> BuildAsync(Choice choice)
    {
        var folder = template.NewFolder(choice.EffectiveName);
        await template.NewAsync([.. choice.Arguments, "-o", folder]);
        await DotNet.RunAsync(folder, "build", "-c", "Release", "-nologo", "-v", "quiet", "-warnaserror");
        return folder;
    }

    private static async Task TestAsync(string folder, Choice choice)
    {
        var results = Path.Combine(folder, "results");
        await DotNet.RunAsync(folder, "test", "-c", "Release", "--no-build", "--results-directory", results, "--report-xunit-ctrf", "--report-xunit-ctrf-filename", "tests.json");
        var report = JsonNode.Parse(await File.ReadAllTextAsync(Path.Combine(results, "tests.json")))!["results"]!["tests"]!.AsArray();
        var outcomes = report.ToDictionary(test => ((string)test!["name"]!).Split('.')[^1], test => (string)test!["status"]!);

        Assert.All(outcomes, test => Assert.Equal("passed", test.Value));
        Assert.Contains("A_session_goes_on_when_one_replica_after_the_other_is_killed", outcomes.Keys);
        Assert.Equal(choice.Samples, outcomes.ContainsKey("A_call_in_flight_finishes_when_its_replica_is_killed"));
    }

    // Of an installed redis-server: the folder belongs to an application that may run beside the tests.
    private static void AssertNoData(string folder)
    {
        var data = new DirectoryInfo(Path.Combine(folder, "Contoso.Tools.AppHost", "obj", "redis"));
        Assert.Empty(data.Exists ? data.EnumerateFileSystemInfos().Select(entry => entry.Name) : []);
    }

    private async Task ReplaceVersionAsync(string folder, string newer)
    {
        foreach (var file in (string[])["Directory.Packages.props", ".config/dotnet-tools.json"])
        {
            var path = Path.Combine(folder, file);
            var text = await File.ReadAllTextAsync(path);
            Assert.Contains(template.Version, text, StringComparison.Ordinal);
            await File.WriteAllTextAsync(path, text.Replace(template.Version, newer, StringComparison.Ordinal));
        }
    }
}

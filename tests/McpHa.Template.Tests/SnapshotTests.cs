namespace McpHa.Tests;

/// <summary>The files of a generated solution are those of a list in <c>Snapshots</c>. <c>UPDATE_SNAPSHOTS=1 ./test SnapshotTests</c> writes the lists.</summary>
[Collection(TemplateCollection.Name)]
public sealed class SnapshotTests(TemplateFixture template)
{
    private const int MaxCodeFiles = 30;
    private const int MaxCodeLines = 1_500;

    [Fact]
    public Task The_default_solution_has_the_files_of_its_list() => CompareAsync("default.txt", Choices.Default);

    [Fact]
    public Task The_smallest_solution_has_the_files_of_its_list() => CompareAsync("smallest.txt", Choices.Smallest);

    [Fact]
    public async Task A_solution_with_all_options_is_small_and_has_no_preprocessor_directive()
    {
        var tree = await template.GenerateAsync(new("Contoso.Tools") { Auth = "jwt", Deploy = "kubernetes" });

        var code = tree.Texts.Where(text => text.File.EndsWith(".cs", StringComparison.Ordinal)).ToList();
        Assert.InRange(code.Count, 1, MaxCodeFiles);
        Assert.InRange(code.Sum(text => text.Text.Split('\n').Length), 1, MaxCodeLines);
        Assert.DoesNotContain(code.SelectMany(text => text.Text.Split('\n')), line => line.TrimStart().StartsWith('#'));
    }

    private async Task CompareAsync(string list, Choice choice)
    {
        var tree = await template.GenerateAsync(choice);
        string[] files = [.. tree.Files.Select(file => file.Replace(template.Version, "VERSION", StringComparison.Ordinal))];
        var path = Path.Combine(Repository.Root, "tests", "McpHa.Template.Tests", "Snapshots", list);
        if (Environment.GetEnvironmentVariable("UPDATE_SNAPSHOTS") == "1")
            await File.WriteAllLinesAsync(path, files);

        Assert.Equal(await File.ReadAllLinesAsync(path), files);
    }
}

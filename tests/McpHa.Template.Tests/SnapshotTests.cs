namespace McpHa.Tests;

/// <summary>
/// The files that are generated and packed, listed in <c>Snapshots</c>: whatever is added to the repository and reaches users, or is lost to them, shows as
/// a change of a list. <c>UPDATE_SNAPSHOTS=1 ./test SnapshotTests</c> writes the lists anew.
/// </summary>
[Collection(TemplateCollection.Name)]
public sealed class SnapshotTests(TemplateFixture template)
{
    [Fact]
    public Task The_default_tree_has_the_files_of_its_list() => CompareAsync("default.txt", new("Contoso.Tools"));

    [Fact]
    public Task The_smallest_tree_has_the_files_of_its_list() =>
        CompareAsync("smallest.txt", new("Contoso.Tools") { Redis = "existing", Lab = false, Tests = false, Samples = false, Deploy = "kubernetes" });

    [Fact]
    public void The_package_holds_what_the_template_takes_and_no_more()
    {
        var unwanted = template.PackagedFiles().Where(file => file.Contains("/bin/", StringComparison.Ordinal) || file.Contains("/obj/", StringComparison.Ordinal)
            || file.Contains("/node_modules/", StringComparison.Ordinal) || file.EndsWith(".trx", StringComparison.Ordinal) || file.Contains(".Template.Tests", StringComparison.Ordinal));

        Assert.Empty(unwanted);
        Assert.Contains("content/.template.config/template.json", template.PackagedFiles());
        Assert.Contains("content/LICENSE", template.PackagedFiles());
        Assert.Contains("icon.png", template.PackagedFiles());
    }

    private async Task CompareAsync(string list, Choice choice)
    {
        var tree = await template.GenerateAsync(choice);
        var path = Path.Combine(Repository.Root, "tests", "McpHa.Template.Tests", "Snapshots", list);
        if (Environment.GetEnvironmentVariable("UPDATE_SNAPSHOTS") == "1")
            await File.WriteAllLinesAsync(path, tree.Files);

        Assert.Equal(await File.ReadAllLinesAsync(path), tree.Files);
    }
}

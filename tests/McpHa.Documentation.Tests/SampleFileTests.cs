using McpHa.Tests.Pages;

namespace McpHa.Tests;

/// <summary>Code of a page that is a file of the repository, which a test compiles and runs, is that file.</summary>
[Trait("Category", "Quick")]
public sealed class SampleFileTests
{
    private const string Samples = "tests/McpHa.HighAvailability.Tests/Existing/Samples";

    public static TheoryData<string> Files => [.. Directory.GetFiles(Path.Combine(Page.Root, Samples)).Select(file => Path.GetFileName(file))];

    [Theory]
    [MemberData(nameof(Files))]
    public void A_sample_on_the_page_is_the_one_that_runs(string file)
    {
        var block = Assert.Single(Page.Blocks("docs/several-replicas.md"), block => block.File == file);
        Assert.Equal(Page.Read(Path.Combine(Samples, file)).TrimEnd('\n'), block.Text.TrimEnd('\n'));
    }
}

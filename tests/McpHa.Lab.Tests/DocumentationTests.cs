using System.Text.RegularExpressions;

namespace McpHa.Tests;

/// <summary>What the pages of the repository point to is there.</summary>
public sealed partial class DocumentationTests
{
    private static readonly string Root = FindRoot();

    public static TheoryData<string> Pages => [.. Directory.GetFiles(Root, "*.md").Concat(Directory.GetFiles(Path.Combine(Root, "docs"), "*.md")).Select(page => Path.GetRelativePath(Root, page))];

    [Theory]
    [MemberData(nameof(Pages))]
    public void Every_test_that_a_page_names_exists(string page)
    {
        var tests = string.Concat(Directory.EnumerateFiles(Path.Combine(Root, "tests"), "*.cs", SearchOption.AllDirectories)
            .Where(file => !file.Contains("/obj/", StringComparison.Ordinal))
            .Select(File.ReadAllText));
        var names = TestName().Matches(File.ReadAllText(Path.Combine(Root, page))).Select(match => match.Groups[1].Value);

        Assert.DoesNotContain(names, name => !Regex.IsMatch(tests, $@"\b(class {name}\b|{name}\()"));
    }

    [Theory]
    [MemberData(nameof(Pages))]
    public void Every_file_that_a_page_links_to_exists(string page)
    {
        var folder = Path.GetDirectoryName(Path.Combine(Root, page))!;
        var links = Link().Matches(File.ReadAllText(Path.Combine(Root, page))).Select(match => match.Groups[1].Value);

        Assert.DoesNotContain(links, link => !Path.Exists(Path.Combine(folder, link)));
    }

    private static string FindRoot()
    {
        var folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "README.md")))
            folder = Path.GetDirectoryName(folder) ?? throw new InvalidOperationException($"No README.md above {AppContext.BaseDirectory}.");
        return folder;
    }

    // A class of tests, or a test: words joined by underscores.
    [GeneratedRegex(@"`(?![A-Z0-9_]+`)([A-Z]\w+(?:Tests|Contract)|[A-Z][a-zA-Z0-9]*(?:_[a-zA-Z0-9]+){3,})`")]
    private static partial Regex TestName();

    [GeneratedRegex(@"\]\((?!https?:|#)([^)#]+)")]
    private static partial Regex Link();
}

using System.Text.RegularExpressions;
using McpHa.Tests.Pages;

namespace McpHa.Tests;

/// <summary>What the pages of the repository point to is there.</summary>
[Trait("Category", "Quick")]
public sealed partial class DocumentationTests
{
    public static TheoryData<string> Pages => [.. Page.All];

    [Theory]
    [MemberData(nameof(Pages))]
    public void Every_test_that_a_page_names_exists(string page)
    {
        var tests = string.Concat(Directory.EnumerateFiles(Path.Combine(Page.Root, "tests"), "*.cs", SearchOption.AllDirectories)
            .Where(file => !file.Contains("/obj/", StringComparison.Ordinal))
            .Select(File.ReadAllText));
        var names = TestName().Matches(Page.Read(page)).Select(match => match.Groups[1].Value);

        Assert.DoesNotContain(names, name => !Regex.IsMatch(tests, $@"\b(class {name}\b|{name}\()"));
    }

    [Theory]
    [MemberData(nameof(Pages))]
    public void Every_file_that_a_page_links_to_exists(string page)
    {
        var folder = Path.GetDirectoryName(Path.Combine(Page.Root, page))!;
        var links = Link().Matches(Page.Read(page)).Select(match => match.Groups[1].Value);

        Assert.DoesNotContain(links, link => !Path.Exists(Path.Combine(folder, link)));
    }

    [Theory]
    [MemberData(nameof(Pages))]
    public void Every_section_that_a_page_links_to_exists(string page)
    {
        var folder = Path.GetDirectoryName(page)!;
        var links = SectionLink().Matches(Page.Read(page)).Select(match => (
            Page: match.Groups[1].Length == 0 ? page : Path.GetRelativePath(Page.Root, Path.GetFullPath(Path.Combine(Page.Root, folder, match.Groups[1].Value))),
            Section: match.Groups[2].Value));

        Assert.DoesNotContain(links, link => !Sections(link.Page).Contains(link.Section));
    }

    [Fact]
    public void The_README_leads_to_every_page()
    {
        var readme = Page.Read("README.md");

        Assert.DoesNotContain(Page.All.Where(page => page.StartsWith("docs/", StringComparison.Ordinal)), page => !readme.Contains($"]({page})", StringComparison.Ordinal));
    }

    // As the usual viewers make them: lower case, hyphens for blanks, no other punctuation.
    internal static IEnumerable<string> Sections(string page) => Heading().Matches(Page.Read(page))
        .Select(match => Punctuation().Replace(match.Groups[1].Value.ToLowerInvariant(), "").Replace(' ', '-'));

    // A class of tests, or a test: words joined by underscores.
    [GeneratedRegex(@"`(?![A-Z0-9_]+`)([A-Z]\w+(?:Tests|Contract)|[A-Z][a-zA-Z0-9]*(?:_[a-zA-Z0-9]+){3,})`")]
    private static partial Regex TestName();

    [GeneratedRegex(@"\]\((?!https?:|#)([^)#]+)")]
    private static partial Regex Link();

    [GeneratedRegex(@"\]\((?!https?:)([^)#]*)#([^)]+)\)")]
    private static partial Regex SectionLink();

    [GeneratedRegex(@"^#+ (.*)$", RegexOptions.Multiline)]
    private static partial Regex Heading();

    [GeneratedRegex(@"[^\w\- ]")]
    private static partial Regex Punctuation();
}

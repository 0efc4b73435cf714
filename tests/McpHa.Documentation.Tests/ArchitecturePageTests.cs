using System.Text.RegularExpressions;
using McpHa.Tests.Pages;

namespace McpHa.Tests;

/// <summary>What the page on the architecture names is in the code.</summary>
[Trait("Category", "Quick")]
public sealed partial class ArchitecturePageTests
{
    private static readonly string Sources = Path.Combine(Page.Root, "src");
    private static readonly string Library = Path.Combine(Sources, "Mcp.HighAvailability");

    private static readonly string[] Names =
        [.. Code().Matches(Page.Read("docs/architecture.md")).Select(match => match.Groups[1].Value).Distinct()];

    // Names of files and paths are from here on with the separator of the page.
    private static readonly string[] Files =
        [.. new[] { "src", "tests" }
            .SelectMany(folder => Directory.EnumerateFiles(Path.Combine(Page.Root, folder), "*.cs", SearchOption.AllDirectories))
            .Select(file => file.Replace('\\', '/'))
            .Where(file => !file.Contains("/obj/", StringComparison.Ordinal))];

    [Fact]
    public void Every_file_on_the_page_exists()
    {
        var named = Names.Where(name => name.EndsWith(".cs", StringComparison.Ordinal)).ToArray();

        Assert.NotEmpty(named);
        Assert.DoesNotContain(named, name => !(name.Contains('/', StringComparison.Ordinal)
            ? File.Exists(Path.Combine(Library, name)) || File.Exists(Path.Combine(Sources, name))
            : Files.Any(file => file.EndsWith("/" + name, StringComparison.Ordinal))));
    }

    [Fact]
    public void Every_folder_type_and_method_on_the_page_exists()
    {
        var texts = Files.Select(File.ReadAllText).ToArray();
        var types = texts.SelectMany(text => Type().Matches(text).Select(match => (Name: match.Groups[1].Value, Text: text)))
            .ToLookup(type => type.Name, type => type.Text);
        var methods = texts.SelectMany(text => Extension().Matches(text)).Select(match => match.Groups[1].Value).ToHashSet();
        var named = Names.Where(name => Name().IsMatch(name)).ToArray();

        Assert.NotEmpty(named);
        Assert.DoesNotContain(named, name => !(
            Directory.Exists(Path.Combine(Library, name)) || Directory.Exists(Path.Combine(Sources, name))
            || types.Contains(name) || methods.Contains(name)
            || name.Split('.') is [var type, var member] && types[type].Any(text => Regex.IsMatch(text, $@"\b{member}\b"))));
    }

    [GeneratedRegex("`([^`\n]+)`")]
    private static partial Regex Code();

    // Words with a capital letter, joined by dots or slashes. Not methods of HTTP, headers, settings and files.
    [GeneratedRegex(@"^(?!\w+\.cs$|.*/\w+\.cs$)[A-Z]+[a-z]\w*(?:[./][A-Z]\w*)*$")]
    private static partial Regex Name();

    [GeneratedRegex(@"\b(?:class|interface|struct|record|enum) (\w+)")]
    private static partial Regex Type();

    [GeneratedRegex(@"\bstatic [\w<>?]+ (\w+)(?:<\w+>)?\(\s*this ")]
    private static partial Regex Extension();
}

using McpHa.Tests.Pages;

namespace McpHa.Tests.Text;

/// <summary>The files whose text people read.</summary>
internal static class Prose
{
    /// <summary>Pages, and the README files of the packages and of the template.</summary>
    public static IReadOnlyList<string> Pages { get; } =
        [.. Page.All.Select(page => Path.Combine(Page.Root, page)), .. Files("src", "*.md"), .. Files("eng", "*.md")];

    /// <summary>C# and JavaScript of the libraries, the tool and the application.</summary>
    public static IReadOnlyList<string> Sources { get; } =
        [.. Files("src", "*.cs"), .. Files("src", "*.js"), .. Directory.GetDirectories(Page.Root, "McpHa.*").SelectMany(folder => Files(folder, "*.cs"))];

    /// <summary>C# of the tests. Their comments are prose, their strings and names are data.</summary>
    public static IReadOnlyList<string> Tests { get; } = [.. Files("tests", "*.cs")];

    /// <summary>A line as a reader finds it.</summary>
    public static string Place(string file, int index) => $"{Path.GetRelativePath(Page.Root, file)}:{index + 1}";

    private static IEnumerable<string> Files(string folder, string pattern) =>
        Directory.EnumerateFiles(Path.Combine(Page.Root, folder), pattern, SearchOption.AllDirectories)
            .Where(file => !file.Contains("/obj/", StringComparison.Ordinal) && !file.Contains("/bin/", StringComparison.Ordinal)
                && !file.Contains("/node_modules/", StringComparison.Ordinal));
}

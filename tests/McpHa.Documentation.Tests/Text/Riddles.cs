using System.Text.RegularExpressions;

namespace McpHa.Tests.Text;

/// <summary>Subjects that say nothing: indefinite pronouns.</summary>
internal static partial class Riddles
{
    /// <summary>The lines of a file that have one.</summary>
    public static IEnumerable<string> In(string file) => In(file, static line => line);

    /// <summary>The lines of a C# file that have one in a comment. Strings are data.</summary>
    public static IEnumerable<string> InComments(string file) => In(file, static line => Comment().Match(line).Value);

    private static IEnumerable<string> In(string file, Func<string, string> text) =>
        File.ReadLines(file).Select((line, index) => (line, index))
            .Where(at => Count(text(at.line)) > 0)
            .Select(at => $"{Prose.Place(file, at.index)}: {at.line.Trim()}");

    public static int Count(string text) => Word().Count(text);

    [GeneratedRegex(
        @"\b(?:whoever|whomever|whom|nobody|somebody|everybody|anybody|someone|everyone|anyone|what is none|none any more|(?:by|for|only|up) who)\b",
        RegexOptions.IgnoreCase)]
    private static partial Regex Word();

    // Not the slashes of an address.
    [GeneratedRegex(@"(?:^|\s)//.*$")]
    private static partial Regex Comment();
}

using System.Text.RegularExpressions;

namespace McpHa.Tests.Text;

/// <summary>Subjects that say nothing: <c>whoever</c>, <c>nobody</c>, and their like.</summary>
internal static partial class Riddles
{
    /// <summary>The lines of a file that have one.</summary>
    public static IEnumerable<string> In(string file) =>
        File.ReadLines(file).Select((line, index) => (line, index))
            .Where(at => Count(at.line) > 0)
            .Select(at => $"{Prose.Place(file, at.index)}: {at.line.Trim()}");

    public static int Count(string text) => Word().Count(text);

    [GeneratedRegex(
        @"\b(?:whoever|whomever|whom|nobody|somebody|everybody|anybody|someone|everyone|anyone|what is none|none any more)\b",
        RegexOptions.IgnoreCase)]
    private static partial Regex Word();
}

using System.Text.RegularExpressions;

namespace McpHa.Tests.Text;

/// <summary>Paragraphs of a page. Lists count item by item; tables, headings and blocks of code do not count.</summary>
internal static partial class Paragraphs
{
    private const int MaxWords = 120;

    /// <summary>The paragraphs of a file that are too long.</summary>
    public static IEnumerable<string> TooLong(string file)
    {
        var (start, words, fenced) = (0, 0, false);
        var lines = File.ReadAllLines(file);
        for (var i = 0; i <= lines.Length; i++)
        {
            var line = i < lines.Length ? lines[i] : "";
            var isFence = line.TrimStart().StartsWith("```", StringComparison.Ordinal);
            var isItem = Item().IsMatch(line);
            var ends = isFence || isItem || line.Trim().Length == 0 || line[0] is '|' or '#' or '<';
            if (ends || fenced)
            {
                if (words > MaxWords)
                    yield return $"{Prose.Place(file, start)}: {words} words";
                (start, words) = (i, isItem && !fenced ? Words(line) : 0);
            }
            else
            {
                words += Words(line);
            }

            fenced ^= isFence;
        }
    }

    private static int Words(string line) => line.Split(' ', StringSplitOptions.RemoveEmptyEntries).Length;

    [GeneratedRegex(@"^\s*(?:[-*]|\d+\.) ")]
    private static partial Regex Item();
}

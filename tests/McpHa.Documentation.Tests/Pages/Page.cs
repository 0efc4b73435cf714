using System.Text.RegularExpressions;

namespace McpHa.Tests.Pages;

/// <summary>The pages of the repository, and the fenced blocks in them.</summary>
public static partial class Page
{
    public static string Root { get; } = FindRoot();

    /// <summary>Every page, from the root.</summary>
    public static IReadOnlyList<string> All { get; } =
        [.. new[] { "", "docs", "eng/package" }
            .Select(folder => Path.Combine(Root, folder))
            .Where(Directory.Exists)
            .SelectMany(folder => Directory.GetFiles(folder, "*.md"))
            .Select(page => Path.GetRelativePath(Root, page))
            .Order(StringComparer.Ordinal)];

    public static string Read(string page) => File.ReadAllText(Path.Combine(Root, page));

    public static IEnumerable<Block> Blocks() => All.SelectMany(Blocks);

    public static IEnumerable<Block> Blocks(string page)
    {
        var lines = Read(page).Split('\n');
        for (var i = 0; i < lines.Length; i++)
        {
            var opening = Fence().Match(lines[i]);
            if (!opening.Success)
                continue;
            var (line, indent) = (i, opening.Groups["indent"].Length);
            List<string> text = [];
            for (i++; i < lines.Length && lines[i].Trim() != "```"; i++)
                text.Add(lines[i].Length >= indent ? lines[i][indent..] : lines[i]);

            var before = Enumerable.Range(0, line).Select(n => lines[line - 1 - n].Trim()).FirstOrDefault(l => l.Length > 0) ?? "";
            yield return new(
                page,
                line + 1,
                opening.Groups["language"].Value,
                string.Join('\n', text),
                FileName().Match(before) is { Success: true } file ? file.Groups[1].Value : null,
                Comment().Match(before) is { Success: true } remark ? remark.Groups[1].Value : null);
        }
    }

    private static string FindRoot()
    {
        var folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "README.md")))
            folder = Path.GetDirectoryName(folder) ?? throw new InvalidOperationException($"No README.md above {AppContext.BaseDirectory}.");
        return folder;
    }

    [GeneratedRegex("^(?<indent> *)```(?<language>[^`]*?) *$")]
    private static partial Regex Fence();

    [GeneratedRegex("`([^`]+)`:$")]
    private static partial Regex FileName();

    [GeneratedRegex("^<!-- (.*) -->$")]
    private static partial Regex Comment();
}

using System.Text;
using System.Text.RegularExpressions;

namespace Mcp.HighAvailability.Balancer.Status.Page;

/// <summary>Writes Markdown as HTML, as far as the runbook uses it: headings, paragraphs, lists, tables, code, emphasis, links within the page.</summary>
internal static partial class Markdown
{
    public static void Render(StringBuilder page, string markdown)
    {
        var lines = new Queue<string>(markdown.ReplaceLineEndings("\n").Split('\n'));
        var heading = "";
        while (lines.TryPeek(out var line))
        {
            if (line.Length == 0 || line.StartsWith("<!--", StringComparison.Ordinal))
                lines.Dequeue();
            else if (line.StartsWith('#'))
                heading = RenderHeading(page, lines.Dequeue());
            else if (line.StartsWith("```", StringComparison.Ordinal))
                RenderCode(page, lines);
            else if (line.StartsWith('|'))
                RenderTable(page, lines, heading);
            else if (line.StartsWith("- ", StringComparison.Ordinal))
                RenderList(page, lines, "ul", Bullet());
            else if (Number().IsMatch(line))
                RenderList(page, lines, "ol", Number());
            else
                page.Append("<p>").Append(Inline(string.Join(' ', Take(lines, IsText)))).Append("</p>");
        }
    }

    /// <summary>The anchor of a heading, as GitHub makes it.</summary>
    public static string Anchor(string heading) => NotInAnchors().Replace(heading.ToLowerInvariant(), "").Replace(' ', '-');

    private static string RenderHeading(StringBuilder page, string line)
    {
        var level = line.TakeWhile(letter => letter == '#').Count();
        var text = line[level..].Trim();
        page.Append("<h").Append(level).Append(" id=\"").Append(Anchor(text)).Append("\">").Append(Inline(text)).Append("</h").Append(level).Append('>');
        return text;
    }

    private static void RenderCode(StringBuilder page, Queue<string> lines)
    {
        lines.Dequeue();
        var code = Take(lines, static next => !next.StartsWith("```", StringComparison.Ordinal));
        page.Append("<pre tabindex=\"0\">").Text(string.Join('\n', code)).Append("</pre>");
        lines.TryDequeue(out _);
    }

    private static void RenderList(StringBuilder page, Queue<string> lines, string tag, Regex mark)
    {
        page.Append('<').Append(tag).Append('>');
        while (lines.TryPeek(out var item) && mark.IsMatch(item))
        {
            lines.Dequeue();
            var rest = Take(lines, static next => next.StartsWith("  ", StringComparison.Ordinal)).Select(static next => next.Trim());
            page.Append("<li>").Append(Inline(string.Join(' ', rest.Prepend(mark.Replace(item, ""))))).Append("</li>");
        }

        page.Append("</").Append(tag).Append('>');
    }

    private static void RenderTable(StringBuilder page, Queue<string> lines, string heading)
    {
        var rows = Take(lines, static next => next.StartsWith('|')).ConvertAll(static row => row.Trim('|').Split('|', StringSplitOptions.TrimEntries));
        page.Append("<div class=\"wide\" role=\"region\" aria-label=\"").Text("Table: " + heading).Append("\" tabindex=\"0\"><table><thead><tr>");
        foreach (var cell in rows[0])
            page.Append("<th scope=\"col\">").Append(Inline(cell)).Append("</th>");
        page.Append("</tr></thead><tbody>");
        foreach (var row in rows.Skip(2))
        {
            page.Append("<tr>");
            foreach (var cell in row)
                page.Append("<td>").Append(Inline(cell)).Append("</td>");
            page.Append("</tr>");
        }

        page.Append("</tbody></table></div>");
    }

    private static bool IsText(string line) => line.Length > 0 && line[0] is not ('#' or '|') && !Bullet().IsMatch(line);

    private static List<string> Take(Queue<string> lines, Func<string, bool> wanted)
    {
        List<string> taken = [];
        while (lines.TryPeek(out var line) && wanted(line))
            taken.Add(lines.Dequeue());
        return taken;
    }

    // Links lead within the page; other documents are not served here.
    private static string Inline(string text)
    {
        var html = new StringBuilder().Text(text).ToString();
        html = Code().Replace(html, "<code>$1</code>");
        html = Strong().Replace(html, "<strong>$1</strong>");
        html = Emphasis().Replace(html, "<em>$1</em>");
        return Link().Replace(html, static link =>
            link.Groups[2].Value.StartsWith('#') ? $"<a href=\"{link.Groups[2].Value}\">{link.Groups[1].Value}</a>" : link.Groups[1].Value);
    }

    [GeneratedRegex("[^a-z0-9 -]")]
    private static partial Regex NotInAnchors();

    [GeneratedRegex("^- ")]
    private static partial Regex Bullet();

    [GeneratedRegex(@"^\d+\. ")]
    private static partial Regex Number();

    [GeneratedRegex("`([^`]+)`")]
    private static partial Regex Code();

    [GeneratedRegex(@"\*\*([^*]+)\*\*")]
    private static partial Regex Strong();

    [GeneratedRegex(@"(?<![\w*])\*([^*]+)\*(?![\w*])")]
    private static partial Regex Emphasis();

    [GeneratedRegex(@"\[([^\]]+)\]\(([^)]+)\)")]
    private static partial Regex Link();
}

using System.Globalization;
using System.Text;

namespace Mcp.HighAvailability.Balancer.Status.Page;

/// <summary>The last hour as two small charts; the captions are the text for readers who do not see them.</summary>
internal static class HistoryPart
{
    public static void Render(StringBuilder page, Status status)
    {
        page.Append("<section aria-labelledby=\"history\"><h2 id=\"history\">Last hour</h2><div class=\"history\">");
        RenderChart(page, "Calls", "call", "at this balancer", status.History.Calls);
        RenderChart(page, "Errors", "error", "of the tiles above", status.History.Errors);
        page.Append("</div></section>");
    }

    private static void RenderChart(StringBuilder page, string name, string noun, string where, IReadOnlyList<long> minutes)
    {
        var most = minutes.Max();
        page.Append("<figure class=\"").Append(noun).Append("s\"><figcaption>").Append(name).Append(" per minute: ")
            .Append(Html.Plural(minutes.Sum(), noun)).Append(' ').Append(where).Append(", at most ").Number(most)
            .Append(" in a minute</figcaption><svg aria-hidden=\"true\" focusable=\"false\" viewBox=\"0 0 ").Append(minutes.Count)
            .Append(" 20\" preserveAspectRatio=\"none\">");
        for (var minute = 0; minute < minutes.Count; minute++)
        {
            var height = most == 0 ? 0 : Math.Max(minutes[minute] > 0 ? 1 : 0, 20.0 * minutes[minute] / most);
            page.Append(CultureInfo.InvariantCulture, $"<rect x=\"{minute + 0.1:0.#}\" y=\"{20 - height:0.#}\" width=\"0.8\" height=\"{height:0.#}\"/>");
        }

        page.Append("</svg></figure>");
    }
}

using System.Globalization;
using System.Text;

namespace Mcp.HighAvailability.Balancer.Status.Page;

/// <summary>Sessions per replica as bars; the numbers beside them are the text for readers who do not see the bars.</summary>
internal static class SessionBars
{
    public static void Render(StringBuilder page, Status status)
    {
        var replicas = status.Replicas.Where(replica => !replica.IsLost).ToList();
        if (replicas.Count == 0)
            return;

        var most = Math.Max(1, replicas.Max(replica => replica.Sessions));
        page.Append("<section aria-labelledby=\"bars\"><h2 id=\"bars\">Sessions per replica</h2><ul class=\"bars\">");
        foreach (var replica in replicas)
        {
            page.Append("<li data-key=\"").Text(replica.Id).Append("\"><span>").Text(replica.Id)
                .Append("</span> <svg aria-hidden=\"true\" focusable=\"false\"><rect class=\"track\" width=\"100%\" height=\"100%\" rx=\"3\"/><rect class=\"")
                    .Append(replica.State)
                .Append("\" width=\"").Append((100.0 * replica.Sessions / most).ToString("0.#", CultureInfo.InvariantCulture)).Append(
                    "%\" height=\"100%\" rx=\"3\"/></svg> <span class=\"n\">")
                .Append(Html.Plural(replica.Sessions, "session")).Append("</span></li>");
        }

        page.Append("</ul></section>");
    }
}

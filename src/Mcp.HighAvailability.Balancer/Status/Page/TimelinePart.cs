using System.Text;
using Mcp.HighAvailability.Sessions;
using Mcp.HighAvailability.Storage;

namespace Mcp.HighAvailability.Balancer.Status.Page;

/// <summary>Events of the cluster, newest first.</summary>
internal static class TimelinePart
{
    private const int Shown = 40;

    public static void Render(StringBuilder page, Status status)
    {
        page.Append("<section aria-labelledby=\"timeline\"><h2 id=\"timeline\">What happened</h2>");
        if (status.Timeline.Count == 0)
        {
            page.Append("<p>Nothing since this balancer started.</p></section>");
            return;
        }

        page.Append("<div class=\"wide tall\" role=\"region\" aria-label=\"Table of what happened\" tabindex=\"0\"><table><caption " +
            "class=\"unseen\">Joins, drains, deaths and take-overs, newest first</caption>")
            .Append("<thead><tr><th scope=\"col\">UTC</th><th scope=\"col\">What</th><th scope=\"col\" class=\"n\">Pause<small>typical, " +
                "longest</small></th></tr></thead><tbody>");
        foreach (var entry in status.Timeline.Take(Shown))
        {
            page.Append("<tr data-key=\"").Append(entry.Time.UtcTicks).Append(entry.Kind).Append("\"><td>").Time(entry.Time, status.Time).Append(
                "</td><td class=\"")
                .Append(Mood(entry.Kind)).Append("\">");
            RenderWhat(page, entry);
            page.Append("</td><td class=\"n\">");
            if (entry.TypicalMs is { } typical && entry.LongestMs is { } longest)
                page.Append(Html.Duration(typical)).Append(entry.Count > 1 ? ", " + Html.Duration(longest) : "");
            page.Append("</td></tr>");
        }

        page.Append("</tbody></table></div></section>");
    }

    private static void RenderWhat(StringBuilder page, TimelineEntry entry)
    {
        switch (entry.Kind)
        {
            case TimelineKind.TakenOver:
                page.Append(Html.Plural(entry.Count, "session")).Append(": ").Text(entry.Replica.Length > 0 ? entry.Replica : "none").Append(" → ")
                    .Text(entry.To)
                    .Append(" <small>").Append(Why(entry.Reason)).Append("</small>");
                break;
            case TimelineKind.WentOn:
                page.Append(Html.Plural(entry.Count, "exchange")).Append(" went on: ").Text(entry.Replica).Append(" → ").Text(entry.To).Append(
                    " <small>seen by this balancer's clients</small>");
                break;
            case TimelineKind.RegistryAway:
                page.Append("Redis cannot be reached");
                break;
            case TimelineKind.RegistryBack:
                page.Append("Redis is back");
                break;
            default:
                page.Append("<b>").Text(entry.Replica).Append("</b> ").Append(Deed(entry.Kind));
                break;
        }
    }

    private static string Deed(TimelineKind kind) => kind switch
    {
        TimelineKind.Joined => "joined",
        TimelineKind.Back => "is back",
        TimelineKind.Stopping => "shuts down and hands its sessions over",
        TimelineKind.Drained => "is drained by an operator",
        TimelineKind.Resumed => "takes sessions again",
        TimelineKind.Left => "left in good order",
        _ => "was lost",
    };

    /// <summary>A reason of <see cref="TakeOverReasons"/> in words.</summary>
    public static string Why(string reason) => reason switch
    {
        TakeOverReasons.HandedOver => "handed over",
        TakeOverReasons.OwnerLost => "owner lost",
        TakeOverReasons.LocalCopyLost => "own copy lost",
        _ => "",
    };

    private static string Mood(TimelineKind kind) => kind switch
    {
        TimelineKind.Lost or TimelineKind.RegistryAway => ReplicaStates.Lost,
        TimelineKind.Drained or TimelineKind.Stopping => ReplicaStates.Draining,
        TimelineKind.Joined or TimelineKind.Back or TimelineKind.Resumed or TimelineKind.RegistryBack => ReplicaStates.Alive,
        _ => "plain",
    };
}

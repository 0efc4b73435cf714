using System.Text;
using Mcp.HighAvailability.Sessions;
using Mcp.HighAvailability.Storage;

namespace Mcp.HighAvailability.Balancer.Status.Page;

/// <summary>What happened, newest first. The loss of a replica and all that followed from it are one row.</summary>
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

        page.Append("<div class=\"wide tall\" role=\"region\" aria-label=\"Table of what happened\" tabindex=\"0\"><table><caption class=\"unseen\">Joins, " +
            "drains, losses and take-overs, newest first</caption>")
            .Append("<thead><tr><th scope=\"col\">UTC</th><th scope=\"col\">What</th></tr></thead><tbody>");
        foreach (var entry in status.Timeline.Take(Shown))
        {
            page.Append("<tr data-key=\"").Text(entry.Replica).Append(entry.Kind).Append(entry.Time.UtcTicks).Append("\"><td>")
                .Time(entry.Time, status.Time).Append("</td><td class=\"")
                .Append(Mood(entry.Kind)).Append("\">").Append("<b>").Append(Subject(entry)).Append("</b> ");
            RenderDeed(page, entry);
            if (entry.Followed.Count > 0)
                RenderFollowed(page, entry);
            page.Append("</td></tr>");
        }

        page.Append("</tbody></table></div></section>");
    }

    private static void RenderFollowed(StringBuilder page, TimelineEntry entry)
    {
        page.Append("<ul>");
        foreach (var next in entry.Followed)
        {
            page.Append("<li>");
            switch (next.Kind)
            {
                case TimelineKind.TakenOver:
                    page.Append(Html.Plural(next.Count, "session")).Append(" taken over by ").Text(next.To);
                    break;
                case TimelineKind.Resumption:
                    page.Append(Html.Plural(next.Count, "request")).Append(" resumed at ").Text(next.To);
                    break;
                case TimelineKind.Joined:
                    page.Append("replaced by ").Text(next.Replica);
                    break;
                default:
                    RenderDeed(page, next);
                    break;
            }

            RenderDetail(page, next);
            page.Append("</li>");
        }

        page.Append("</ul>");
    }

    private static string Subject(TimelineEntry entry) => entry.Kind switch
    {
        TimelineKind.TakenOver => Html.Plural(entry.Count, "session"),
        TimelineKind.Resumption => Html.Plural(entry.Count, "request"),
        TimelineKind.RegistryAway or TimelineKind.RegistryBack => "Redis",
        _ => new StringBuilder().Text(entry.Replica).ToString(),
    };

    private static void RenderDeed(StringBuilder page, TimelineEntry entry)
    {
        switch (entry.Kind)
        {
            case TimelineKind.TakenOver:
                page.Append("taken over from ").Text(entry.Replica.Length > 0 ? entry.Replica : "no owner").Append(" by ").Text(entry.To);
                RenderDetail(page, entry);
                break;
            case TimelineKind.Resumption:
                page.Append("of ").Text(entry.Replica).Append(" resumed at ").Text(entry.To);
                RenderDetail(page, entry);
                break;
            default:
                page.Append(Deed(entry.Kind));
                if (entry.Sessions is { } sessions)
                    page.Append(" with ").Append(Html.Plural(sessions, "session"));
                break;
        }
    }

    private static void RenderDetail(StringBuilder page, TimelineEntry entry)
    {
        if (entry.TypicalMs is not { } typical || entry.LongestMs is not { } longest)
            return;
        page.Append(" <small>").Append(entry.Kind == TimelineKind.Resumption ? "this balancer" : Why(entry.Reason))
            .Append(", pause ").Append(Html.Duration(typical))
            .Append(entry.Count > 1 ? $" typical, {Html.Duration(longest)} longest" : "").Append("</small>");
    }

    private static string Deed(TimelineKind kind) => kind switch
    {
        TimelineKind.Joined => "joined",
        TimelineKind.Back => "answers again",
        TimelineKind.Stopping => "shuts down and hands its sessions over",
        TimelineKind.Drained => "drained by an operator",
        TimelineKind.Resumed => "takes sessions again",
        TimelineKind.Left => "left after its shutdown",
        TimelineKind.RegistryAway => "cannot be reached",
        TimelineKind.RegistryBack => "answers again",
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

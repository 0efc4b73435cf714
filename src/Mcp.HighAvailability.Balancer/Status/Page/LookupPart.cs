using System.Text;

namespace Mcp.HighAvailability.Balancer.Status.Page;

/// <summary>The form to look one session up, and the result. The id goes by POST, so that it is in no address and no log, and comes back shortened.</summary>
internal static class LookupPart
{
    public static void Render(StringBuilder page, LookupAnswer? answer, DateTimeOffset now)
    {
        page.Append("<section aria-labelledby=\"look\"><h2 id=\"look\">Look up a session</h2><form id=\"lookup\" method=\"post\" action=\"/status/session\">")
            .Append("<label>Session id, all of it (<code>Mcp-Session-Id</code>)<input name=\"id\" required maxlength=\"256\" autocomplete=\"off\" " +
                "spellcheck=\"false\"></label><button type=\"submit\">Look up</button></form>")
            .Append("<p id=\"answer\" role=\"status\">");
        if (answer is not null)
            RenderAnswer(page, answer, now);
        page.Append("</p><div id=\"trail\">");
        if (answer?.Hops is { } hops)
            RenderTrail(page, answer, hops, now);
        page.Append("</div></section>");
    }

    private static void RenderAnswer(StringBuilder page, LookupAnswer answer, DateTimeOffset now)
    {
        switch (answer.State)
        {
            case LookupStates.Served:
                page.Append("Session ").Text(answer.Session).Append(" is at <b>").Text(answer.Owner).Append("</b>")
                    .Append(answer.OwnerState == ReplicaStates.Alive ? "" : $" ({answer.OwnerState})");
                break;
            case LookupStates.Unowned:
                page.Append("Session ").Text(answer.Session).Append(" was handed over and waits for its next request");
                break;
            case LookupStates.Ended:
                page.Append("Session ").Text(answer.Session).Append(" has ended. Only its trace is left.");
                return;
            case LookupStates.Unknown:
                page.Append("Session ").Text(answer.Session).Append(" is unknown: it was never opened, has expired, or ended long ago.");
                return;
            case LookupStates.Away:
                page.Append("Redis cannot be reached; try again when it is back.");
                return;
            case LookupStates.Damaged:
                page.Append("The record of session ").Text(answer.Session).Append(" is damaged.");
                return;
            default:
                page.Append("This is not a session id. Use letters, digits and hyphens, as the client has it in <code>Mcp-Session-Id</code>.");
                return;
        }

        page.Append(", epoch ").Number(answer.Epoch).Append("; opened ").Time(answer.Created ?? now, now).Append(" UTC, protocol ").Text(answer.ProtocolVersion)
            .Append('.');
    }

    private static void RenderTrail(StringBuilder page, LookupAnswer answer, IReadOnlyList<HopStatus> hops, DateTimeOffset now)
    {
        if (answer.Trace is { } trace)
            page.Append("<p><a href=\"").Text(trace.AbsoluteUri).Append("\">Its trace in the dashboard</a>: every step of it, from every replica.</p>");
        else if (answer.TraceId.Length > 0)
            page.Append("<p>Its trace is ").Append(answer.TraceId).Append("; set Balancer:Dashboard for a link.</p>");
        else
            page.Append("<p>It has no trace: telemetry was off when it was opened.</p>");

        if (hops.Count == 0)
        {
            page.Append("<p>It has had no other owner.</p>");
            return;
        }

        page.Append("<div class=\"wide\" role=\"region\" aria-label=\"Table of owners\" tabindex=\"0\"><table><caption class=\"unseen\">Changes of the " +
            "session's owner, newest first</caption><thead><tr><th scope=\"col\" class=\"n\">Epoch</th>")
            .Append("<th scope=\"col\">UTC</th><th scope=\"col\">From</th><th scope=\"col\">To</th><th scope=\"col\">Why</th><th scope=\"col\" " +
                "class=\"n\">Pause</th></tr></thead><tbody>");
        foreach (var hop in hops.Reverse())
        {
            page.Append("<tr><th scope=\"row\" class=\"n\">").Number(hop.Epoch).Append("</th><td>").Time(hop.Time, now).Append("</td><td>")
                .Text(hop.From.Length > 0 ? hop.From : "not known")
                .Append("</td><td>").Text(hop.To).Append("</td><td>").Text(TimelinePart.Why(hop.Reason)).Append("</td><td class=\"n\">")
                .Append(hop.TookMs is { } took ? Html.Duration(took) : "not known yet").Append("</td></tr>");
        }

        page.Append("</tbody></table></div>");
    }
}

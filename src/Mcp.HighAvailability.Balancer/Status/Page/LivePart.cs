using System.Text;

namespace Mcp.HighAvailability.Balancer.Status.Page;

/// <summary>The part of the page that is renewed every second. It is complete by itself and the same for all viewers.</summary>
/// <param name="operations">Whether there are operations.</param>
internal sealed class LivePart(bool operations)
{
    public void Render(StringBuilder page, Status status)
    {
        page.Append("<div id=\"live\">");
        RenderState(page, status);
        RenderTiles(page, status);
        page.Append("<div class=\"columns\"><div>");
        ReplicaPart.Render(page, status, operations);
        SessionBars.Render(page, status);
        page.Append("</div>");
        TimelinePart.Render(page, status);
        page.Append("</div><p class=\"dim\">As of ").Time(status.Time, status.Time).Append(" UTC, as balancer ").Text(status.Balancer.Instance)
            .Append(" sees it; up for ").Append(Html.Age(status.Time - status.Balancer.Started)).Append(".</p></div>");
    }

    // Changes only when something has happened: it is read out then.
    private static void RenderState(StringBuilder page, Status status)
    {
        var (totals, redis) = (status.Totals, status.Redis);
        var lost = totals.Replicas - totals.Alive;
        var draining = totals.Alive - totals.Serving;
        var state = !redis.Reachable || totals.Serving == 0 ? "bad" : lost > 0 || draining > 0 ? "warn" : "good";
        page.Append("<p id=\"state\" role=\"status\" class=\"").Append(state).Append("\">");
        if (totals.Replicas == 0)
            page.Append("There is no replica. Requests wait for the first one. ");
        else if (totals.Serving == totals.Replicas)
            page.Append(totals.Serving == 1 ? "The only replica takes sessions. " : $"All {totals.Serving} replicas take sessions. ");
        else
            page.Append($"{totals.Serving} of {totals.Replicas} replicas take sessions").Append(lost > 0 ? $", {lost} lost" : "")
                .Append(draining > 0 ? $", {draining} draining" : "").Append(". ");
        if (redis.Reachable)
            page.Append("Redis answers.</p>");
        else
            page.Append("Redis cannot be reached since ").Time(redis.AwaySince ?? status.Time, status.Time).Append(
                " UTC: owners serve on, nothing is taken over.</p>");
    }

    private static void RenderTiles(StringBuilder page, Status status)
    {
        var (totals, traffic) = (status.Totals, status.Traffic);
        page.Append("<section aria-labelledby=\"now\"><h2 id=\"now\" class=\"unseen\">At this moment</h2><dl class=\"tiles\">");
        Tile(page, "Replicas", $"{totals.Serving} / {totals.Replicas}", "take sessions");
        Tile(page, "Sessions", totals.Sessions.ToString("N0", null), "in all replicas");
        Tile(page, "Calls in work", totals.Calls.ToString("N0", null), "in all replicas");
        Tile(page, "Calls per second", traffic.CallsPerSecond.ToString("N1", null), "here, last 10 s");
        Tile(page, "p99 latency", traffic.CallsInLastMinute == 0 ? "–" : Html.Duration(traffic.P99Ms), "here, last 60 s");
        Tile(page, "Waiting", totals.Held.ToString("N0", null), "requests held here");
        Tile(page, "Went on", totals.Failovers.ToString("N0", null), "exchanges, here");
        Tile(page, "Redis", status.Redis.Reachable ? Html.Duration(status.Redis.ReadMs) : "away", status.Redis.Reachable ? "to read the directory"
            : Html.Age(status.Time - (status.Redis.AwaySince ?? status.Time)));
        page.Append("</dl></section>");
    }

    private static void Tile(StringBuilder page, string name, string value, string note) =>
        page.Append("<div><dt>").Append(name).Append("</dt><dd><b>").Append(value).Append("</b> <span>").Append(note).Append("</span></dd></div>");
}

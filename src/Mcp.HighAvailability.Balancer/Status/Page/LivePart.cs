using System.Text;

namespace Mcp.HighAvailability.Balancer.Status.Page;

/// <summary>The part of the page that is renewed every second: whole by itself, and the same for every viewer.</summary>
/// <param name="operations">Whether there are operations.</param>
internal sealed class LivePart(bool operations)
{
    public void Render(StringBuilder page, Status status)
    {
        page.Append("<div id=\"live\">");
        var figures = Tile.FiguresOf(status);
        RenderState(page, status, figures);
        Tile.Render(page, figures);
        page.Append("<div class=\"columns\"><div>");
        ReplicaPart.Render(page, status, operations);
        SessionBars.Render(page, status);
        HistoryPart.Render(page, status);
        page.Append("</div>");
        TimelinePart.Render(page, status);
        page.Append("</div><p class=\"dim\">As of ").Time(status.Time, status.Time).Append(" UTC, seen by balancer ").Text(status.Balancer.Instance)
            .Append(", which has been up for ").Append(Html.Age(status.Time - status.Balancer.Started)).Append(".</p></div>");
    }

    // Changes only when something has happened: it is read out then.
    private static void RenderState(StringBuilder page, Status status, IReadOnlyList<Tile.Figure> figures)
    {
        var (totals, redis) = (status.Totals, status.Redis);
        var draining = totals.Alive - totals.Serving;
        var expected = totals.Alive + totals.Unreplaced;
        var notable = figures.Where(figure => figure.IsNotable && figure.Tile != Tile.Replicas && figure.Tile != Tile.Redis).ToList();
        var state = !redis.Reachable || totals.Serving == 0 ? "bad" : totals.Unreplaced > 0 || draining > 0 || notable.Count > 0 ? "warn" : "good";
        page.Append("<p id=\"state\" role=\"status\" class=\"").Append(state).Append("\">");
        if (expected == 0)
            page.Append("There is no replica. Requests wait for the first one. ");
        else if (totals.Serving == expected)
            page.Append(totals.Serving == 1 ? "The only replica takes sessions. " : $"All {totals.Serving} replicas take sessions. ");
        else
        {
            page.Append($"{totals.Serving} of {expected} replicas take sessions").Append(totals.Unreplaced > 0 ? $", {totals.Unreplaced} lost" : "")
                .Append(draining > 0 ? $", {draining} draining" : "").Append(". ");
        }

        if (redis.Reachable)
            page.Append("Redis answers.");
        else
        {
            page.Append("Redis cannot be reached since ").Time(redis.AwaySince ?? status.Time, status.Time)
                .Append(" UTC: owners keep serving, and no session is taken over.");
        }

        // The sentences above have told of replicas and Redis.
        if (notable.Count > 0)
        {
            page.Append(' ').Append(Html.Plural(notable.Count, "notable figure")).Append(" below: ")
                .Text(string.Join(", ", notable.Select(figure => figure.Tile.Name))).Append('.');
        }

        page.Append("</p>");
    }
}

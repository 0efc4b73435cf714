using System.Globalization;
using System.Text;

namespace Mcp.HighAvailability.Balancer.Status.Page;

/// <summary>The figures of the page. Each names the section of the runbook that says what to do about it.</summary>
/// <param name="Name">What it shows.</param>
/// <param name="Section">Anchor in the runbook.</param>
internal sealed record Tile(string Name, string Section)
{
    public static readonly Tile Replicas = new("Replicas", "a-replica-is-lost");
    public static readonly Tile Sessions = new("Sessions", "load");
    public static readonly Tile Calls = new("Calls in progress", "load");
    public static readonly Tile Rate = new("Calls per second", "load");
    public static readonly Tile Duration = new("Call duration, p99", "is-redis-the-bottleneck");
    public static readonly Tile Held = new("Held requests", "requests-are-held");
    public static readonly Tile Resumed = new("Resumed requests", "a-replica-is-lost");
    public static readonly Tile MayHaveRun = new("Calls \"may have run\"", "why-a-call-ended-with-may-have-run");
    public static readonly Tile TooManyRequests = new("429 responses", "limits-are-hit");
    public static readonly Tile ServerErrors = new("5xx responses", "requests-end-with-5xx");
    public static readonly Tile FencedWrites = new("Fenced writes", "a-replica-is-fenced");
    public static readonly Tile UnjournaledEvents = new("Unjournaled events", "redis-is-away");
    public static readonly Tile Redis = new("Redis", "redis-is-away");
    public static readonly Tile Memory = new("Redis memory", "redis-runs-full");

    /// <summary>All of them, in the order of the page.</summary>
    public static IReadOnlyList<Tile> All { get; } =
        [Replicas, Sessions, Calls, Rate, Duration, Held, Resumed, MayHaveRun, TooManyRequests, ServerErrors, FencedWrites, UnjournaledEvents, Redis, Memory];

    /// <summary>The figures of all tiles.</summary>
    public static IReadOnlyList<Figure> FiguresOf(Status status)
    {
        var (totals, traffic, errors, redis) = (status.Totals, status.Traffic, status.Errors, status.Redis);
        return
        [
            new(Replicas, $"{totals.Serving} / {totals.Alive + totals.Unreplaced}", "take sessions", totals.Unreplaced > 0),
            new(Sessions, Number(totals.Sessions), totals.Waiting == 0 ? "in the store" : $"{Number(totals.Waiting)} of them " +
                $"{(totals.Waiting == 1 ? "waits for its client" : "wait for their clients")}"),
            new(Calls, Number(totals.Calls), "in all replicas"),
            new(Rate, traffic.CallsPerSecond.ToString("N1", CultureInfo.InvariantCulture), "this balancer, last 10 s"),
            new(Duration, traffic.CallsInLastMinute == 0 ? "–" : Html.Duration(traffic.P99Ms), "this balancer, last 60 s; the tools' own time included"),
            new(Held, Number(totals.Held), "wait at this balancer", totals.Held > 0),
            new(Resumed, Number(totals.Failovers), "at other replicas, this balancer"),
            new(MayHaveRun, Number(errors.MayHaveRun), "last hour", errors.MayHaveRun > 0),
            new(TooManyRequests, Number(errors.TooManyRequests), "this balancer, last hour", errors.TooManyRequests > 0),
            new(ServerErrors, Number(errors.ServerErrors), "this balancer, last hour", errors.ServerErrors > 0),
            new(FencedWrites, Number(errors.FencedWrites), "last hour"),
            new(UnjournaledEvents, Number(errors.UnjournaledEvents), "notifications dropped, last hour", errors.UnjournaledEvents > 0),
            new(Redis, redis.Reachable ? Html.Duration(redis.ReadMs) : "away",
                redis.Reachable ? "to read the directory" : $"for {Html.Age(status.Time - (redis.AwaySince ?? status.Time))}", !redis.Reachable),
            new(Memory, redis.MemoryUsed is { } used ? Html.Bytes(used) : "–", redis.MemoryLimit is { } limit ? $"of {Html.Bytes(limit)}" : "no limit known",
                redis.MemoryUsed > redis.MemoryLimit * 0.8),
        ];
    }

    public static void Render(StringBuilder page, IReadOnlyList<Figure> figures)
    {
        page.Append("<section aria-labelledby=\"now\"><h2 id=\"now\" class=\"unseen\">At this moment</h2><dl class=\"tiles\">");
        foreach (var (tile, value, note, isNotable) in figures)
        {
            page.Append(isNotable ? "<div class=\"notable\">" : "<div>").Append("<dt><a href=\"/status/runbook#").Append(tile.Section).Append("\">")
                .Text(tile.Name).Append("<span class=\"unseen\"> (runbook)</span></a></dt><dd><b>").Append(value).Append("</b> <span>").Text(note)
                .Append("</span></dd></div>");
        }

        page.Append("</dl></section>");
    }

    private static string Number(long number) => number.ToString("N0", CultureInfo.InvariantCulture);

    /// <summary>What a tile shows.</summary>
    /// <param name="Tile">The tile.</param>
    /// <param name="Value">Its figure.</param>
    /// <param name="Note">What is counted.</param>
    /// <param name="IsNotable">It needs a look.</param>
    internal sealed record Figure(Tile Tile, string Value, string Note, bool IsNotable = false);
}

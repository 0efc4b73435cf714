using Mcp.HighAvailability.Lab.Chaos.History;

namespace Mcp.HighAvailability.Lab.Chaos.Check.Rules;

/// <summary>
/// No session is lost. A stream that cannot be opened is an error too, although clients keep it to themselves; directly behind a dumb load
/// balancer it may happen while a fault goes on.
/// </summary>
internal static class SessionRule
{
    public static IEnumerable<Violation> Find(Facts facts)
    {
        foreach (var lost in facts.Events.OfType<SessionLost>().DistinctBy(lost => lost.Session))
            yield return facts.Violation(ViolationKind.SessionLost, lost.Session, lost.At, $"the session is lost: {lost.Reason}");

        foreach (var trouble in facts.Events.OfType<HttpTrouble>().Where(trouble => trouble is { Method: "GET", Status: not null }))
        {
            if (!facts.Options.Direct || !facts.Faults.Any(fault => fault.Overlaps(trouble.At, trouble.At, Facts.Aftermath)))
                yield return facts.Violation(ViolationKind.Error, trouble.Session, trouble.At, $"the session's stream could not be opened: {trouble.Reason}");
        }
    }
}

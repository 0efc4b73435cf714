using Mcp.HighAvailability.Lab.Chaos.History;

namespace Mcp.HighAvailability.Lab.Chaos.Check.Rules;

/// <summary>A history that says little proves little: every tool of the workload was used with success, and every session was read at the end.</summary>
internal static class VacuousRule
{
    public static IEnumerable<Violation> Find(Facts facts)
    {
        if (facts.Opened.Count == 0)
            yield return Vacuous(facts, null, "no session was opened");
        if (facts.Calls.Count == 0)
            yield return Vacuous(facts, null, "nothing was called");

        var succeeded = facts.Calls.Where(call => call.IsAcknowledged).Select(call => call.Tool).ToHashSet();
        foreach (var tool in facts.Options.Tools.Where(tool => !succeeded.Contains(tool)))
            yield return Vacuous(facts, null, $"{tool} was never called with success");

        var active = facts.Calls.Where(call => call.IsAcknowledged).Select(call => call.Session).ToHashSet();
        foreach (var session in facts.Opened.Where(session => !active.Contains(session.Session)))
            yield return Vacuous(facts, session.Session, "no call of the session has succeeded");

        foreach (var missing in facts.Options.HasTasks ? MissingOfTasks(facts) : [])
            yield return Vacuous(facts, null, missing);

        if (!facts.Options.FinalReadings)
            yield break;
        var read = facts.Events.OfType<FinalReading>().Select(reading => reading.Session).ToHashSet();
        foreach (var session in facts.Opened.Where(session => !read.Contains(session.Session)))
            yield return Vacuous(facts, session.Session, "what the session holds at the end was not read");
        if (facts.Calls.Any(call => call.Expected.Announcement is not null && call.IsAcknowledged) && !facts.Events.OfType<StreamReceived>().Any())
            yield return Vacuous(facts, null, "announcements were made, and no session heard anything");
    }

    private static IEnumerable<string> MissingOfTasks(Facts facts)
    {
        var seen = facts.Events.OfType<TaskSeen>().ToList();
        foreach (var status in (string[])["working", "input_required", "completed", "cancelled"])
        {
            if (!seen.Exists(task => task.Status == status))
                yield return $"no task was seen to be {status}";
        }

        if (!seen.Exists(task => task.Heard && task.HasEnded))
            yield return "no end of a task was heard of";
        if (!facts.Events.OfType<TaskAnswered>().Any())
            yield return "no question of a task was answered";
    }

    private static Violation Vacuous(Facts facts, string? session, string text) => facts.Violation(ViolationKind.Vacuous, session, facts.End, text);
}

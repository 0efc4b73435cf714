using Mcp.HighAvailability.Lab.Chaos.History;

namespace Mcp.HighAvailability.Lab.Chaos.Check;

/// <summary>Measures what clients noticed of faults.</summary>
/// <remarks>
/// For each fault and each session that it touches: the longest silence that the session's client saw, beyond what its calls take
/// undisturbed. It begins at the fault or later, and before the fault is over or the next fault touches the session. It counts to its end, even where
/// the next fault prolongs it; that fault's own pause counts from its own beginning.
/// <list type="bullet">
/// <item>A call without progress: the time from its beginning (or the fault's, if that came later) to its end, less the time that it is made
/// to take (a delivery's length, the user's time to think) and less what calls of this tool take beyond that in the median of the run. Where
/// the call began before the fault, only what is left of that time is taken off: none, if it was due already.</item>
/// <item>A countdown: the time between two steps (the first of them, or the fault's beginning, to the second), less the interval. Where the
/// fault lets another owner run the call again, step k is due k intervals after that: a tool that counts from one
/// again needs that long, and no server can make it faster. The last step and the result are taken in the same way.</item>
/// </list>
/// A session with no call running or begun in that time saw nothing and does not count. Calls that were cancelled do not count.
///
/// The same is measured of sessions that the fault does not hit, while no other one hits them: what they see is what the machine makes of so
/// many calls at once, and the least that those which are hit could see.
/// </remarks>
internal static class Pauses
{
    /// <summary>Pauses of the sessions that were hit, and what the others saw meanwhile.</summary>
    public static (IReadOnlyList<Pause> Pauses, IReadOnlyList<Pause> Elsewhere) Measure(Facts facts)
    {
        var usual = facts.Calls.Where(Counts).GroupBy(call => call.Tool)
            .ToDictionary(tool => tool.Key, tool => Median(tool.Select(call => call.End!.Value - call.Begin - call.Expected.RunsLike)));
        var calls = facts.Calls.Where(Counts).OrderBy(call => call.Begin).ToLookup(call => call.Session);
        var sessions = facts.Opened.Select(session => session.Session).ToList();
        List<Pause> pauses = [];
        List<Pause> elsewhere = [];
        foreach (var fault in facts.Faults)
        {
            foreach (var session in sessions)
            {
                var isHit = fault.Touches(session);
                if (!isHit && facts.Faults.Any(other => other.Touches(session) && other.Overlaps(fault.Begin, fault.End, Facts.Aftermath)))
                    continue;
                var over = facts.Faults.Where(next => next.Begin > fault.Begin && next.Touches(session)).Select(next => next.Begin).Append(fault.End).Min();
                var running = calls[session].SkipWhile(call => call.End < fault.Begin).TakeWhile(call => call.Begin < over)
                    .Where(call => call.End >= fault.Begin).ToList();
                if (running.Count == 0)
                    continue;
                // A session that is not hit must not be measured into a later fault that hits it.
                var until = isHit ? TimeSpan.MaxValue : over;
                var longest = running.Select(call => Longest(call, fault, over, until, usual[call.Tool])).MaxBy(silence => silence.Length);
                (isHit ? pauses : elsewhere).Add(new(fault.Number, fault.Kind, session, longest.At,
                    longest.Length) { WasRunning = running.Any(call => call.Begin < fault.Begin) });
            }
        }

        return (pauses, elsewhere);
    }

    private static bool Counts(Call call) => call.End is not null && call.Outcome!.Kind is not OutcomeKind.Cancelled && call.Cancelled is null;

    private static (TimeSpan At, TimeSpan Length) Longest(Call call, Fault fault, TimeSpan over, TimeSpan until, TimeSpan usual)
    {
        if (call.Expected.Steps is null)
        {
            var due = call.Begin + call.Expected.RunsLike + usual;
            var from = due < fault.Begin ? fault.Begin : due;
            return (from, NotNegative(Earlier(call.End!.Value, until) - from));
        }

        (TimeSpan At, TimeSpan Length) longest = (fault.Begin, TimeSpan.Zero);
        var last = call.Begin;
        var arrivals = call.Progress.Select(step => (step.At, Step: (int)step.Progress, Wait: call.Expected.StepInterval))
            .Append((At: call.End!.Value, Step: call.Expected.Steps.Value, Wait: TimeSpan.Zero));
        foreach (var (at, step, wait) in arrivals)
        {
            var from = last < fault.Begin ? fault.Begin : last;
            last = at;
            if (at < fault.Begin || from >= over)
                continue;
            var again = fault.RunsAgain && call.Begin < fault.Begin ? call.Expected.StepInterval * step : wait;
            var silence = NotNegative(Earlier(at, until) - from - again);
            if (silence > longest.Length)
                longest = (from, silence);
        }

        return longest;
    }

    private static TimeSpan Earlier(TimeSpan one, TimeSpan other) => one < other ? one : other;

    private static TimeSpan NotNegative(TimeSpan time) => time < TimeSpan.Zero ? TimeSpan.Zero : time;

    private static TimeSpan Median(IEnumerable<TimeSpan> times)
    {
        TimeSpan[] sorted = [.. times.Order()];
        return NotNegative(sorted[sorted.Length / 2]);
    }
}

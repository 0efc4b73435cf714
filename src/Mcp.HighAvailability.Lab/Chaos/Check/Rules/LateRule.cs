using Mcp.HighAvailability.Lab.Chaos.History;

namespace Mcp.HighAvailability.Lab.Chaos.Check.Rules;

/// <summary>
/// A call has one response, and nothing comes after it. A call that was cancelled falls silent soon, or soon after the fault that it met.
/// What arrives belongs to a call of the session that it arrives in.
/// </summary>
internal static class LateRule
{
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(3);

    public static IEnumerable<Violation> Find(Facts facts)
    {
        foreach (var stray in facts.Strays)
            yield return facts.Violation(ViolationKind.FromNowhere, stray.Session, stray.At, $"{stray.GetType().Name} belongs to no call of its session");

        foreach (var call in facts.Calls)
        {
            if (call.Answers.Count > 1)
                yield return facts.Violation(ViolationKind.Doubled, call, call.Answers[1].At, $"{call} was answered twice");
            if (call.Answers.Count > 0 && call.Progress.FirstOrDefault(step => step.At > call.Answers[0].At) is { } late)
                yield return facts.Violation(ViolationKind.Late, call, late.At, $"step {late.Progress} of {call} came after its response");
            if (call.Cancelled is { } cancelled && !Overtook(facts, call, cancelled) && call.Progress.LastOrDefault() is { } last &&
                last.At > Silence(facts, call, cancelled))
                yield return facts.Violation(ViolationKind.Late, call, last.At,
                    $"{call} went on for {(last.At - cancelled.At).TotalSeconds:0.0} s after it was cancelled");
        }
    }

    // While a fault held the request up, the cancellation may have come before it: to an owner that remembered it, and died.
    private static bool Overtook(Facts facts, Call call, CallCancelled cancelled) =>
        call.Progress.All(step => step.At > cancelled.At)
        && facts.Faults.Any(fault => fault.Touches(call.Session) && fault.Overlaps(call.Begin, cancelled.At, Facts.Aftermath));

    private static TimeSpan Silence(Facts facts, Call call, CallCancelled cancelled) =>
        facts.Faults.Where(fault => fault.Touches(call.Session) && fault.Overlaps(cancelled.At, cancelled.At + Soon, Facts.Aftermath))
            .Select(fault => fault.End + Facts.Aftermath)
            .Append(cancelled.At)
            .Max() + Soon;
}

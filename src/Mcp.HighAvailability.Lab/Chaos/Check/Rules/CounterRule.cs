using Mcp.HighAvailability.Lab.Chaos.History;

namespace Mcp.HighAvailability.Lab.Chaos.Check.Rules;

/// <summary>
/// Every counter, a session's own or a shared one, has counted each acknowledged call once, and each other call at most once. A value lies
/// between the calls that were acknowledged before it was asked for and those that had begun when it was given, and no two are the same.
/// </summary>
internal static class CounterRule
{
    public static IEnumerable<Violation> Find(Facts facts) =>
        StateObject.All(facts).SelectMany(state => Find(facts, state));

    private static IEnumerable<Violation> Find(Facts facts, StateObject state)
    {
        List<Call> counts = [.. state.Calls.Where(call => call.Expected.Effect == Effect.Counts)];
        TimeSpan[] begins = [.. counts.Select(call => call.Begin).Order()];
        TimeSpan[] ends = [.. counts.Where(call => call.IsAcknowledged).Select(call => call.Acknowledged).Order()];
        Dictionary<long, Call> values = [];
        foreach (var call in counts.Where(call => call.IsAcknowledged).OrderBy(call => call.End))
        {
            if (StateResult.Count(call.Outcome!) is not { } value)
            {
                yield return facts.Violation(ViolationKind.FromNowhere, call, call.End!.Value, $"{call} got no value: {call.Outcome}");
                continue;
            }

            var least = state.Start + Before(ends, call.Begin) + 1;
            var most = state.Start + Before(begins, call.End!.Value);
            if (!values.TryAdd(value, call))
                yield return facts.Violation(ViolationKind.Lost, call, call.End.Value, $"{call} and {values[value]} both made {state} {value}");
            else if (value < least)
                yield return facts.Violation(ViolationKind.Lost, call, call.End.Value,
                    $"{call} made {state} {value}, although {least - 1} were acknowledged before");
            else if (value > most)
                yield return facts.Violation(ViolationKind.Doubled, call, call.End.Value, $"{call} made {state} {value}, although only {most} were sent");
        }

        foreach (var (at, _, value) in state.Finals)
        {
            var (least, most) = (state.Start + Before(ends, at), state.Start + Before(begins, at));
            if (value < least)
                yield return state.Violation(facts, ViolationKind.Lost, null, at, $"{state} stands at {value}, although {least} were acknowledged");
            if (value > most)
                yield return state.Violation(facts, ViolationKind.Doubled, null, at, $"{state} stands at {value}, although only {most} were sent");
        }
    }

    /// <summary>How many of them lie before a moment.</summary>
    private static int Before(TimeSpan[] sorted, TimeSpan moment)
    {
        var (low, high) = (0, sorted.Length);
        while (low < high)
        {
            var middle = (low + high) / 2;
            if (sorted[middle] < moment)
                low = middle + 1;
            else
                high = middle;
        }

        return low;
    }
}

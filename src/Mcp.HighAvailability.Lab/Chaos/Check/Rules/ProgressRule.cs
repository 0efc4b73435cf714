using Mcp.HighAvailability.Lab.Chaos.History;

namespace Mcp.HighAvailability.Lab.Chaos.Check.Rules;

/// <summary>
/// Progress comes in order, none twice, and none is left out: 1, 2, 3, up to the last one when the call has a result. Where the number of
/// steps is not known it only has to rise.
/// </summary>
internal static class ProgressRule
{
    public static IEnumerable<Violation> Find(Facts facts)
    {
        foreach (var call in facts.Calls)
        {
            double last = 0;
            HashSet<double> heard = [];
            foreach (var step in call.Progress)
            {
                if (!heard.Add(step.Progress))
                    yield return facts.Violation(ViolationKind.Doubled, call, step.At, $"step {step.Progress} of {call} came twice");
                else if (step.Progress < last)
                    yield return facts.Violation(ViolationKind.OutOfOrder, call, step.At, $"step {step.Progress} of {call} came after step {last}");
                last = Math.Max(last, step.Progress);
            }

            if (call.Expected.Steps is not { } steps)
                continue;
            // Whatever has come, all before it has come too.
            var due = call.IsAcknowledged ? steps : (int)last;
            for (var step = 1; step <= due; step++)
            {
                if (!heard.Contains(step))
                    yield return facts.Violation(ViolationKind.Lost, call, call.End ?? facts.End, $"step {step} of {call} never came");
            }

            if (last > steps)
                yield return facts.Violation(ViolationKind.FromNowhere, call, call.Progress[^1].At, $"{call} has {steps} steps, and step {last} came");
        }
    }
}

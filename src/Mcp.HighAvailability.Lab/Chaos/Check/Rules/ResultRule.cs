using Mcp.HighAvailability.Lab.Chaos.History;

namespace Mcp.HighAvailability.Lab.Chaos.Check.Rules;

/// <summary>Each result belongs to its call. The epoch of a session's owner never falls.</summary>
internal static class ResultRule
{
    public static IEnumerable<Violation> Find(Facts facts)
    {
        foreach (var call in facts.Calls.Where(call => call.IsAcknowledged))
        {
            var text = call.Outcome!.Text ?? "";
            if ((call.Expected.Text is { } exact && exact != text) || call.Expected.Pattern?.IsMatch(text) == false)
                yield return facts.Violation(ViolationKind.FromNowhere, call, call.End!.Value, $"{call} got \"{text}\" where {Wanted(call.Expected)} is right");
        }

        foreach (var session in facts.Calls.Where(call => call.Expected.TellsEpoch && call.IsAcknowledged).GroupBy(call => call.Session))
        {
            // A call that begins after another has ended sees at least the epoch of that one.
            Call[] ended = [.. session.OrderBy(call => call.End)];
            var next = 0;
            Call? latest = null;
            foreach (var call in session.OrderBy(call => call.Begin))
            {
                for (; next < ended.Length && ended[next].End < call.Begin; next++)
                    latest = latest is null || Epoch(ended[next]) > Epoch(latest) ? ended[next] : latest;
                if (latest is not null && Epoch(call) < Epoch(latest))
                    yield return facts.Violation(ViolationKind.OutOfOrder, call, call.End!.Value,
                        $"{call} was answered in epoch {Epoch(call)}, after {latest} in epoch {Epoch(latest)}");
            }
        }
    }

    private static long Epoch(Call call) => StateResult.Epoch(call.Outcome!) ?? 0;

    private static string Wanted(Expectation expected) => expected.Text is { } text ? $"\"{text}\"" : $"/{expected.Pattern}/";
}

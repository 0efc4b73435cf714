using Mcp.HighAvailability.Lab.Chaos.History;

namespace Mcp.HighAvailability.Lab.Chaos.Check.Rules;

/// <summary>Every question is asked once, by a call that runs; a call that asks has asked when it is acknowledged.</summary>
internal static class QuestionRule
{
    public static IEnumerable<Violation> Find(Facts facts)
    {
        var asking = facts.Calls.Where(call => call.Expected.Question is not null).ToDictionary(call => (call.Session, call.Expected.Question!));
        var heard = facts.Events.OfType<QuestionReceived>().ToLookup(question => (question.Session, question.Question));
        foreach (var asked in heard)
        {
            var first = asked.First();
            if (!asking.TryGetValue(asked.Key, out var call))
            {
                yield return facts.Violation(ViolationKind.FromNowhere, first.Session, first.At, $"no call asks \"{first.Question}\"");
                continue;
            }

            if (asked.ElementAtOrDefault(1) is { } again)
                yield return facts.Violation(ViolationKind.Doubled, call, again.At,
                    $"{call} asked twice: \"{first.Question}\" ({first.RequestId}, {again.RequestId})");
            if (call.Answers.Count > 0 && first.At > call.Answers[0].At)
                yield return facts.Violation(ViolationKind.Late, call, first.At, $"{call} asked after its response");
            if (first.At < call.Begin)
                yield return facts.Violation(ViolationKind.FromNowhere, call, first.At, $"{call} asked before it was called");
        }

        foreach (var ids in facts.Events.OfType<QuestionReceived>().GroupBy(question => (question.Session, question.RequestId)))
        {
            if (ids.DistinctBy(question => question.Question).Skip(1).FirstOrDefault() is { } other)
                yield return facts.Violation(ViolationKind.Doubled, other.Session, other.At, $"two questions have the id {other.RequestId}");
        }

        foreach (var call in asking.Values.Where(call => call.IsAcknowledged && !heard.Contains((call.Session, call.Expected.Question!))))
            yield return facts.Violation(ViolationKind.FromNowhere, call, call.End!.Value, $"{call} has a result and never asked its question");
    }
}

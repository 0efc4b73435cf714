using Mcp.HighAvailability.Lab.Chaos.Check.Rules;
using Mcp.HighAvailability.Lab.Chaos.History;

namespace Mcp.HighAvailability.Lab.Chaos.Check;

/// <summary>Judges a run by its history alone: a pure function, so that each of its rules can be tested with histories made up for it.</summary>
internal static class Checker
{
    private static readonly Func<Facts, IEnumerable<Violation>>[] Rules =
    [
        OutcomeRule.Find, ResultRule.Find, ProgressRule.Find, LateRule.Find, NotesRule.Find, CounterRule.Find, DeliveryRule.Find,
        QuestionRule.Find, AnnouncementRule.Find, SessionRule.Find, TaskRule.Find, VacuousRule.Find,
    ];

    /// <summary>Checks a history.</summary>
    /// <param name="events">All that happened, in order.</param>
    /// <param name="deliveries">The lines of the delivery log: what <c>deliver</c> did in the outside world.</param>
    /// <param name="options">What the run was.</param>
    public static Verdict Check(IReadOnlyList<HistoryEvent> events, IEnumerable<string> deliveries, CheckOptions options)
    {
        var facts = new Facts(events, [.. deliveries], options);
        var violations = Find(facts);
        var (pauses, elsewhere) = Pauses.Measure(facts);
        return new(violations, Counts.Of(facts, violations), pauses, elsewhere);
    }

    /// <summary>
    /// The earliest finding in a history that goes on, if there is one that no later event can excuse: what is open may still end, and what is on its
    /// way may still arrive.
    /// </summary>
    /// <param name="settled">How long nothing that is on its way takes.</param>
    public static Violation? FirstSoFar(IReadOnlyList<HistoryEvent> events, IEnumerable<string> deliveries, CheckOptions options, TimeSpan settled)
    {
        var facts = new Facts(events, [.. deliveries], options);
        return Find(facts).FirstOrDefault(violation => violation.Kind != ViolationKind.Vacuous && violation.At < facts.End - settled);
    }

    private static List<Violation> Find(Facts facts) => [.. Rules.SelectMany(rule => rule(facts)).OrderBy(violation => violation.At)];
}

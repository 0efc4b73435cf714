using System.Globalization;
using System.Text.RegularExpressions;
using Mcp.HighAvailability.Lab.Chaos.History;
using Mcp.HighAvailability.Protocol;

namespace Mcp.HighAvailability.Lab.Chaos.Check.Rules;

/// <summary>
/// Every task that was created ends, once, with the right result, and looks the same in every answer. It is known from the moment of its answer. A
/// client that listens to a task hears of its end. A question is asked under one key. The promised errors are those of calls: "may have run", and a
/// refusal while a fault goes on.
/// </summary>
internal static partial class TaskRule
{
    // The default of HighAvailability:MaxReplicaLosses.
    private const int MaxLosses = 2;

    public static IEnumerable<Violation> Find(Facts facts) => TaskStory.All(facts).SelectMany(task => Find(facts, task));

    private static IEnumerable<Violation> Find(Facts facts, TaskStory task)
    {
        foreach (var refused in task.Of<TaskRefused>())
        {
            if (!task.Faults.Any())
                yield return task.Violation(ViolationKind.Error, refused.At, $"was refused: {refused.Code} {refused.Reason}");
        }

        foreach (var trouble in task.Of<TaskTrouble>())
        {
            if (trouble.Code == TaskTrouble.Unknown ? !MayBeUnknown(facts, task, trouble) : trouble.Code != JsonRpc.Unavailable && !task.Faults.Any())
                yield return task.Violation(trouble.Code == TaskTrouble.Unknown ? ViolationKind.Lost : ViolationKind.Error, trouble.At,
                    $"got {trouble.Code} to {trouble.Method}: {trouble.Reason}");
        }

        foreach (var given in task.Of<TaskGivenUp>())
        {
            if (!task.Of<TaskTrouble>().Any(trouble => trouble.Code == TaskTrouble.Unknown))
                yield return task.Violation(ViolationKind.Hung, given.At, $"was waited for in vain: {given.For}");
        }

        foreach (var violation in Ends(task).Concat(Order(task)).Concat(Deliveries(facts, task)))
            yield return violation;

        if (task.Of<TaskAnswered>().DistinctBy(answered => answered.Key).Skip(1).FirstOrDefault() is { } again)
            yield return task.Violation(ViolationKind.Doubled, again.At, $"asked its question again, under the key {again.Key}");
    }

    private static IEnumerable<Violation> Ends(TaskStory task)
    {
        if (task.End is not { } end)
            yield break;
        if (task.Seen.FirstOrDefault(seen => seen.HasEnded && seen.Json != end.Json) is { } other)
            yield return task.Violation(ViolationKind.Doubled, other.At, $"ended as {end.Json} and as {other.Json}");
        switch (end.Status)
        {
            case "completed" when !end.Outcome.StartsWith(task.Expected.Result, StringComparison.Ordinal):
                yield return task.Violation(
                    ViolationKind.FromNowhere, end.At, $"has the result \"{end.Outcome}\" where \"{task.Expected.Result}…\" is right");
                break;
            case "failed" when !IsPromised(task, end):
                yield return task.Violation(ViolationKind.Error, end.At, $"failed with {end.Json}, which is not promised here");
                break;
            case "cancelled" when !task.Of<TaskCancelling>().Any():
                yield return task.Violation(ViolationKind.FromNowhere, end.At, "is cancelled without a cancellation");
                break;
        }
    }

    // Polls and notices each come in order. Pages are never unwritten: what was shown is behind a checkpoint.
    private static IEnumerable<Violation> Order(TaskStory task)
    {
        foreach (var way in task.Seen.GroupBy(seen => seen.Heard))
        {
            TaskSeen? before = null;
            foreach (var seen in way)
            {
                if (before is { HasEnded: true } && !seen.HasEnded)
                    yield return task.Violation(ViolationKind.Doubled, seen.At, $"is {seen.Status} after it was {before.Status}");
                if (before is not null && Pages(seen) is { } now && Pages(before) is { } then && now < then)
                    yield return task.Violation(ViolationKind.OutOfOrder, seen.At, $"shows \"{seen.Message}\" after \"{before.Message}\"");
                before = seen;
            }
        }
    }

    private static IEnumerable<Violation> Deliveries(Facts facts, TaskStory task)
    {
        if (!facts.Options.HasDeliveryLog || task.Expected.Parcel is not { } parcel)
            yield break;
        var runs = facts.Deliveries.Count(line => DeliveryRule.Parcel(line) == parcel);
        if (runs > 1)
            yield return task.Violation(ViolationKind.Doubled, task.Over, $"ran {runs} times: {parcel}");
        if (runs == 0 && task.IsCompleted)
            yield return task.Violation(ViolationKind.Lost, task.Over, $"is completed and never ran: {parcel}");
    }

    private static bool IsPromised(TaskStory task, TaskSeen end) => end.Outcome == CallOutcome.MayHaveRun.ToString(CultureInfo.InvariantCulture)
        && (task.Expected.MayRunAgain ? task.Faults.Sum(fault => fault.Losses) >= MaxLosses : task.Faults.Any(fault => fault.Kind != FaultKind.Balancer));

    // A store that loses its data loses tasks that have ended, and those of replicas that are lost at that time: no process works on them.
    private static bool MayBeUnknown(Facts facts, TaskStory task, TaskTrouble trouble) =>
        facts.Wiped(task.Asked.At, trouble.At)
            && (task.End?.At < trouble.At
                || task.Of<TaskCancelling>().Any()
                || task.Faults.Any(fault => fault.Kind is not (FaultKind.RedisWipe or FaultKind.Balancer)));

    private static int? Pages(TaskSeen seen) =>
        PagesPattern().Match(seen.Message) is { Success: true } match ? int.Parse(match.Groups[1].ValueSpan, CultureInfo.InvariantCulture) : null;

    [GeneratedRegex(@"^(\d+) of \d+ pages$")]
    private static partial Regex PagesPattern();
}

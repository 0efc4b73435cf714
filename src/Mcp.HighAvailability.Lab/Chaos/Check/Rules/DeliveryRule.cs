using System.Text.Json;
using System.Text.Json.Nodes;
using Mcp.HighAvailability.Lab.Chaos.History;

namespace Mcp.HighAvailability.Lab.Chaos.Check.Rules;

/// <summary>A call with an effect outside ran at most once, and exactly once when it was acknowledged.</summary>
internal static class DeliveryRule
{
    public static IEnumerable<Violation> Find(Facts facts)
    {
        if (!facts.Options.HasDeliveryLog)
            yield break;
        var marks = facts.Deliveries.Select(Parcel).OfType<string>().GroupBy(parcel => parcel).ToDictionary(parcel => parcel.Key, parcel => parcel.Count());
        var calls = facts.Calls.Where(call => call.Expected.Parcel is not null).ToDictionary(call => call.Expected.Parcel!);
        foreach (var call in calls.Values)
        {
            var runs = marks.GetValueOrDefault(call.Expected.Parcel!);
            if (runs > 1)
                yield return facts.Violation(ViolationKind.Doubled, call, call.End ?? facts.End, $"{call} ran {runs} times: {call.Expected.Parcel}");
            if (runs == 0 && call.IsAcknowledged)
                yield return facts.Violation(ViolationKind.Lost, call, call.End!.Value, $"{call} was acknowledged and never ran: {call.Expected.Parcel}");
        }

        var tasks = facts.Events.OfType<TaskAsked>().Select(task => task.Expected.Parcel).OfType<string>().ToHashSet();
        foreach (var unknown in marks.Keys.Where(parcel => !calls.ContainsKey(parcel) && !tasks.Contains(parcel)))
            yield return facts.Violation(ViolationKind.FromNowhere, (string?)null, facts.End, $"{unknown} was delivered without a call for it");
    }

    /// <summary>The mark in a line of the log; <see langword="null"/>: it has none.</summary>
    public static string? Parcel(string line)
    {
        try
        {
            return JsonNode.Parse(line)?["parcel"] is JsonValue value && value.TryGetValue(out string? parcel) ? parcel : null;
        }
        catch (JsonException)
        {
            // The last line of a process that was killed while it wrote.
            return null;
        }
    }
}

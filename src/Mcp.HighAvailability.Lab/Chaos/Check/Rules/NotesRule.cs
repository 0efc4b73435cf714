using Mcp.HighAvailability.Lab.Chaos.History;

namespace Mcp.HighAvailability.Lab.Chaos.Check.Rules;

/// <summary>
/// Every notebook, a session's own or a shared one, holds each acknowledged note once, and each other note that was sent (its call was
/// cancelled, or ended with an error) at most once. Notes stand in an order that time allows: what was acknowledged before another call
/// began stands before that call's note. A notebook only grows at its end, so each reading is the beginning of every later one.
/// </summary>
internal static class NotesRule
{
    public static IEnumerable<Violation> Find(Facts facts) =>
        StateObject.All(facts).SelectMany(state => Find(facts, state));

    private static IEnumerable<Violation> Find(Facts facts, StateObject state)
    {
        var adds = new Dictionary<string, Call>();
        foreach (var call in state.Calls.Where(call => call.Expected.Effect == Effect.AddsNote))
            adds[call.Expected.Note!] = call;
        List<Reading> readings = [.. Readings(state)];
        if (readings.Count == 0)
            yield break;

        Call[] acknowledged = [.. adds.Values.Where(call => call.IsAcknowledged).OrderBy(call => call.Acknowledged)];
        var longest = readings.MaxBy(reading => reading.Notes.Count)!;
        foreach (var reading in readings)
        {
            var found = Content(facts, state, reading, adds, acknowledged).ToList();
            foreach (var violation in found)
                yield return violation;
            if (found.Count == 0 && reading.Notes.Index().FirstOrDefault(note => longest.Notes[note.Index] != note.Item) is { Item: { } different } at)
                yield return state.Violation(facts, ViolationKind.OutOfOrder, reading.Call, reading.To,
                    $"note {at.Index + 1} of {state} is {different} here and {longest.Notes[at.Index]} in another reading");
        }

        // From the end: the earliest acknowledgement of all that stands behind a note.
        Call? earliest = null;
        foreach (var call in longest.Notes.Reverse().Select(adds.GetValueOrDefault).OfType<Call>())
        {
            if (earliest is not null && earliest.Acknowledged < call.Begin)
                yield return state.Violation(facts, ViolationKind.OutOfOrder, call, longest.To,
                    $"{earliest.Expected.Note} was acknowledged before {call.Expected.Note} was sent, and stands behind it in {state}");
            if (earliest is null || call.Acknowledged < earliest.Acknowledged)
                earliest = call;
        }
    }

    private static IEnumerable<Violation> Content(
        Facts facts, StateObject state, Reading reading, Dictionary<string, Call> adds, IReadOnlyList<Call> acknowledged)
    {
        HashSet<string> held = [];
        foreach (var note in reading.Notes)
        {
            if (!held.Add(note))
                yield return state.Violation(facts, ViolationKind.Doubled, reading.Call, reading.To, $"{note} stands twice in {state}");
            else if (!adds.TryGetValue(note, out var call) || call.Begin > reading.To)
                yield return state.Violation(facts, ViolationKind.FromNowhere, reading.Call, reading.To, $"{note} stands in {state} and no call has added it");
        }

        var due = acknowledged.TakeWhile(call => call.Acknowledged < reading.From);
        if (reading.Call is { Expected.Effect: Effect.AddsNote } own)
            due = due.Append(own);
        foreach (var call in due.Where(call => !held.Contains(call.Expected.Note!)))
            yield return state.Violation(facts, ViolationKind.Lost, call, reading.To, $"{call.Expected.Note} was acknowledged and is missing in {state}");
    }

    private static IEnumerable<Reading> Readings(StateObject state)
    {
        foreach (var call in state.Calls.Where(call => call.Expected.Effect is Effect.AddsNote or Effect.ReadsNotes && call.IsAcknowledged))
        {
            if (StateResult.Notes(call.Outcome!) is { } notes)
                yield return new(call.Begin, call.End!.Value, notes, call);
        }

        foreach (var (at, notes, _) in state.Finals)
            yield return new(at, at, notes, null);
    }

    private sealed record Reading(TimeSpan From, TimeSpan To, IReadOnlyList<string> Notes, Call? Call);
}

using Mcp.HighAvailability.Lab.Chaos.History;

namespace Mcp.HighAvailability.Lab.Chaos.Check;

/// <summary>A notebook and a counter: those of a session, or those behind a handle, which many sessions use.</summary>
/// <param name="Session">Its session; <see langword="null"/>: it is shared.</param>
/// <param name="Start">Where the counter began.</param>
/// <param name="Calls">All calls that use it.</param>
/// <param name="Finals">What was read of it at the end.</param>
internal sealed record StateObject(
    string? Session, string Name, int Start, IReadOnlyList<Call> Calls, IReadOnlyList<(TimeSpan At, IReadOnlyList<string> Notes, long Counter)> Finals)
{
    public static IEnumerable<StateObject> All(Facts facts)
    {
        var calls = facts.Calls.Where(call => call.Expected.Effect != Effect.None)
            .ToLookup(call => (call.Expected.Handle is null ? call.Session : null, call.Expected.Handle));
        var finals = facts.Events.OfType<FinalReading>().ToLookup(reading => reading.Session);
        foreach (var session in facts.Opened.Select(opened => opened.Session))
            yield return new(session, "the session's notebook or counter", 0, [.. calls[(session, null)]],
                [.. finals[session].Select(final => (final.At, final.Notes, final.Counter))]);

        var shared = facts.Events.OfType<SharedReading>().ToLookup(reading => reading.Handle);
        foreach (var opened in facts.Events.OfType<SharedOpened>())
        {
            // State behind a handle is gone when Redis loses all its data: a handle has no owner.
            bool Holds(TimeSpan at) => !facts.Wiped(opened.At, at);
            yield return new(
                null,
                $"the shared notebook or counter {opened.Handle}",
                1,
                [.. calls[(null, opened.Handle)].Where(call => Holds(call.End ?? facts.End))],
                [.. shared[opened.Handle].Where(final => Holds(final.At)).Select(final => (final.At, final.Notes, final.Counter))]);
        }
    }

    public Violation Violation(Facts facts, ViolationKind kind, Call? call, TimeSpan at, string text) =>
        call is not null ? facts.Violation(kind, call, at, text) : facts.Violation(kind, Session, at, text);

    public override string ToString() => Name;
}

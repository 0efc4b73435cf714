using Mcp.HighAvailability.Lab.Chaos.History;

namespace Mcp.HighAvailability.Lab.Chaos.Check.Rules;

/// <summary>
/// Announcements: none twice, those of one announcer in order, none to a session that asked for less, none without an announcer. They reach
/// sessions that have a living owner at that moment, so one may be missing where a fault hit the session around that time, or the replica
/// of the announcer, which reaches no other replica while it is cut off; and nowhere else.
/// Subscribers hear of the resource as often, others never.
/// </summary>
internal static class AnnouncementRule
{
    private const string Log = "notifications/message";
    private static readonly TimeSpan Around = TimeSpan.FromSeconds(2);
    private static readonly string[] Levels = ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"];

    public static IEnumerable<Violation> Find(Facts facts)
    {
        var announcements = facts.Calls.Where(call => call.Expected.Announcement is not null).ToDictionary(call => call.Expected.Announcement!);
        if (announcements.Count == 0)
            return [];
        var setUp = facts.Calls.Where(call => call.Tool is "logging/setLevel" or "resources/subscribe" && call.IsAcknowledged)
            .ToLookup(call => call.Session);
        var heard = facts.Events.OfType<StreamReceived>().ToLookup(heard => heard.Session);
        return facts.Opened.SelectMany(session =>
        {
            var level = setUp[session.Session].FirstOrDefault(call => call.Tool == "logging/setLevel");
            var listensFrom = level is null || Array.IndexOf(Levels, (string?)level.Begun.Arguments["level"]) <= 1 ? session.At : (TimeSpan?)null;
            var subscribed = setUp[session.Session].FirstOrDefault(call => call.Tool == "resources/subscribe");
            return InLog(facts, session.Session, listensFrom, level?.End ?? session.At, announcements, [.. heard[session.Session].Where(e => e.Method == Log)])
                .Concat(InResource(facts, session.Session, subscribed, announcements.Values, [.. heard[session.Session].Where(e => e.Method != Log)]));
        });
    }

    private static IEnumerable<Violation> InLog(
        Facts facts, string session, TimeSpan? listensFrom, TimeSpan levelFrom, Dictionary<string, Call> announcements, IReadOnlyList<StreamReceived> heard)
    {
        Dictionary<string, StreamReceived> first = [];
        Dictionary<string, Call> latest = [];
        foreach (var news in heard)
        {
            if (!announcements.TryGetValue(news.Text, out var call) || news.At < call.Begin)
            {
                yield return facts.Violation(ViolationKind.FromNowhere, session, news.At, $"\"{news.Text}\" was heard and not announced");
                continue;
            }

            if (!first.TryAdd(news.Text, news))
                yield return facts.Violation(ViolationKind.Doubled, session, news.At, $"\"{news.Text}\" was heard twice");
            else if (latest.TryGetValue(call.Session, out var before) && call.Acknowledged < before.Begin)
                yield return facts.Violation(ViolationKind.OutOfOrder, session, news.At,
                    $"\"{news.Text}\" was heard after \"{before.Expected.Announcement}\", which was announced later");
            if (listensFrom is null && call.Begin > levelFrom)
                yield return facts.Violation(ViolationKind.FromNowhere, session, news.At,
                    $"\"{news.Text}\" was heard in a session that asked for errors alone");
            if (!latest.TryGetValue(call.Session, out var last) || last.Begin < call.Begin)
                latest[call.Session] = call;
        }

        foreach (var (text, call) in announcements)
        {
            if (listensFrom < call.Begin && call.IsAcknowledged && !first.ContainsKey(text) && !Disturbed(facts, session, call))
                yield return facts.Violation(ViolationKind.Lost, session, call.End!.Value, $"\"{text}\" was announced and not heard");
        }
    }

    private static IEnumerable<Violation> InResource(
        Facts facts, string session, Call? subscribed, IReadOnlyCollection<Call> announcements, IReadOnlyList<StreamReceived> heard)
    {
        if (subscribed is null)
        {
            if (heard.Count > 0)
                yield return facts.Violation(ViolationKind.FromNowhere, session, heard[0].At,
                    "an update of a resource was heard by a session that has not subscribed");
            yield break;
        }

        if (heard.Count > announcements.Count)
            yield return facts.Violation(ViolationKind.Doubled, session, heard[^1].At,
                $"{heard.Count} updates of a resource were heard, of {announcements.Count}");
        var due = announcements.Count(call => call.Begin > subscribed.End && call.IsAcknowledged && !Disturbed(facts, session, call));
        if (heard.Count < due)
            yield return facts.Violation(ViolationKind.Lost, session, facts.End, $"{heard.Count} updates of a resource were heard, {due} were due");
    }

    private static bool Disturbed(Facts facts, string session, Call call)
    {
        var (from, to) = (call.Begin - Around, call.End!.Value + Around);
        return facts.Disturbed(session, from, to) || facts.Disturbed(call.Session, from, to, FaultKind.Cut);
    }
}

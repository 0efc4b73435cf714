using Mcp.HighAvailability.Lab.Chaos.History;

namespace Mcp.HighAvailability.Lab.Chaos.Check;

/// <summary>A history, ordered for those who look something up in it.</summary>
internal sealed class Facts
{
    /// <summary>Late effects of a fault: idle sessions are taken over with their next request, after the cluster is whole again.</summary>
    public static readonly TimeSpan Aftermath = TimeSpan.FromSeconds(5);

    private const string FirstPrimed = "2025-11-25";
    private const int MaxEventsAround = 60;
    private static readonly TimeSpan Near = TimeSpan.FromSeconds(2);

    private readonly Dictionary<long, Call> _calls = [];
    private readonly Dictionary<string, List<SessionEvent>> _sessions = [];

    public Facts(IReadOnlyList<HistoryEvent> events, IReadOnlyList<string> deliveries, CheckOptions options)
    {
        (Events, Deliveries, Options) = (events, deliveries, options);
        foreach (var happened in events)
        {
            if (happened is SessionEvent { Session: var id } ofSession)
                (_sessions.TryGetValue(id, out var known) ? known : _sessions[id] = []).Add(ofSession);
            switch (happened)
            {
                case CallBegun begun when !_calls.TryAdd(begun.Call, new Call(begun)):
                    Strays.Add(begun);
                    break;
                case CallEnded ended when Find(ended.Call, ended) is { } call:
                    call.Ends.Add(ended);
                    break;
                case ProgressReceived progress when Find(progress.Call, progress) is { } call:
                    call.Progress.Add(progress);
                    break;
                case AnswerReceived { Call: { } number } answer when Find(number, answer) is { } call:
                    call.Answers.Add(answer);
                    break;
                case AnswerReceived { Call: null } answer:
                    Strays.Add(answer);
                    break;
                case CallCancelled cancelled when Find(cancelled.Call, cancelled) is { } call:
                    call.Cancelled = cancelled;
                    break;
            }
        }

        var ends = events.OfType<FaultEnded>().GroupBy(ended => ended.Number).ToDictionary(ended => ended.Key, ended => ended.First().At);
        Faults = [.. events.OfType<FaultBegan>().Select(began => new Fault(began, ends.GetValueOrDefault(began.Number, End)))];
        Opened = [.. events.OfType<SessionOpened>()];
    }

    public IReadOnlyList<HistoryEvent> Events { get; }

    public IReadOnlyList<string> Deliveries { get; }

    public CheckOptions Options { get; }

    public IReadOnlyCollection<Call> Calls => _calls.Values;

    public IReadOnlyList<Fault> Faults { get; }

    public IReadOnlyList<SessionOpened> Opened { get; }

    /// <summary>Messages that belong to no call of the session.</summary>
    public List<SessionEvent> Strays { get; } = [];

    /// <summary>When the run was over.</summary>
    public TimeSpan End => Events.Count == 0 ? TimeSpan.Zero : Events[^1].At;

    public IEnumerable<SessionEvent> Of(string session) => _sessions.GetValueOrDefault(session) ?? [];

    /// <summary>Whether a fault (of one kind) that hits a session goes on between two moments, or has just gone on.</summary>
    public bool Disturbed(string session, TimeSpan from, TimeSpan to, FaultKind? kind = null) =>
        Faults.Any(fault => (kind is null || fault.Kind == kind) && fault.Touches(session) && fault.Overlaps(from, to, Aftermath));

    /// <summary>Whether the session's responses begin with an event id, by which its client can resume each of them.</summary>
    public bool IsPrimed(string session) => Opened.FirstOrDefault(opened => opened.Session == session) is not { } opened
        || string.CompareOrdinal(opened.Revision, FirstPrimed) >= 0;

    /// <summary>Whether Redis lost all of its data between two moments.</summary>
    public bool Wiped(TimeSpan from, TimeSpan to) => Faults.Any(fault => fault.Kind == FaultKind.RedisWipe && fault.Begin <= to && from <= fault.End);

    public Violation Violation(ViolationKind kind, Call call, TimeSpan at, string text) =>
        new(kind, at, call.Session, call.Number, text, Around(at, call.Session, call));

    public Violation Violation(ViolationKind kind, string? session, TimeSpan at, string text) => new(kind, at, session, null, text, Around(at, session, null));

    private Call? Find(long number, SessionEvent happened)
    {
        if (_calls.TryGetValue(number, out var call) && call.Session == happened.Session)
            return call;
        Strays.Add(happened);
        return null;
    }

    // The whole call, what else its session saw at that time, and all faults near.
    private List<HistoryEvent> Around(TimeSpan at, string? session, Call? call)
    {
        var from = Min(at, call?.Begin) - Near;
        var faults = Events.Where(happened => happened is FaultBegan or FaultEnded && happened.At >= from - Aftermath && happened.At <= at + Near);
        var questions = session is null ? [] : Of(session).OfType<QuestionReceived>().Where(question => Concerns(question, call))
            .Select(question => question.RequestId).ToHashSet();
        bool IsAnswerOrTrouble(HistoryEvent happened) =>
            happened is AnswerGiven answer ? questions.Contains(answer.RequestId) : happened is HttpTrouble && call is not null && happened.At >= call.Begin &&
                happened.At <= at;
        var ofSession = session is null ? [] : Of(session)
            .Where(happened => Concerns(happened, call) || IsAnswerOrTrouble(happened) || (happened.At >= at - Near && happened.At <= at + Near));
        var all = faults.Concat(ofSession).OrderBy(happened => happened.At).ToList();
        if (all.Count <= MaxEventsAround)
            return all;

        // What frames the call, then the nearest in time; all in order.
        var frame = all.Where(happened => happened is FaultBegan or FaultEnded or QuestionReceived or AnswerGiven ||
            (Concerns(happened, call) && happened is not ProgressReceived)).ToHashSet();
        return [.. all.OrderBy(happened => frame.Contains(happened) ? TimeSpan.Zero : (happened.At - at).Duration()).Take(MaxEventsAround)
            .OrderBy(happened => happened.At)];

        static TimeSpan Min(TimeSpan one, TimeSpan? other) => other < one ? other.Value : one;
    }

    private static bool Concerns(HistoryEvent happened, Call? call) => call is not null && happened switch
    {
        CallBegun begun => begun.Call == call.Number,
        CallEnded ended => ended.Call == call.Number,
        CallCancelled cancelled => cancelled.Call == call.Number,
        ProgressReceived progress => progress.Call == call.Number,
        AnswerReceived answer => answer.Call == call.Number,
        QuestionReceived question => call.Expected.Question == question.Question,
        _ => false,
    };
}

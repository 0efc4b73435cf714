using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Mcp.HighAvailability.Lab.Chaos.History;

namespace Mcp.HighAvailability.Lab.Chaos.Workload;

/// <summary>All tools of the sample server, mixed.</summary>
internal sealed class SampleWorkload : IWorkload
{
    private const string Board = "announcements://board/latest";
    private const int MaxNotes = 250;

    private static readonly Expectation Quick = new(MayRunAgain: true, TimeSpan.Zero);
    private static readonly Regex Latest = new("^(Nothing was announced yet\\.|news-.*)$", RegexOptions.CultureInvariant);
    private readonly SharedState _shared;
    private readonly (double Weight, Func<SessionContext, PlannedCall> Plan)[] _mix;
    private readonly double _sum;

    public SampleWorkload(SharedState shared)
    {
        _shared = shared;
        _mix =
        [
            (30, Echo), (12, WhereAmI), (12, Count), (9, AddNote), (5, ListNotes), (3, CountShared), (2, AddSharedNote), (1, ListSharedNotes),
            (7, Countdown), (2, CancelledCountdown), (4, AskName), (0.7, CancelledAskName), (3, Summarize), (4, Deliver), (0.7, CancelledDeliver),
            (0.4, Announce), (3, ReadBoard), (1.2, SetLevel),
        ];
        _sum = _mix.Sum(part => part.Weight);
    }

    public IReadOnlyList<string> Names { get; } =
    [
        "echo", "where_am_i", "counter_increment", "notes_add", "notes_list", "countdown", "ask_name", "summarize", "deliver", "announce",
        "resources/read", "logging/setLevel", "resources/subscribe",
    ];

    public bool KeepsState => true;

    /// <summary>The least level of log messages that a session asks for: most hear announcements, one in ten does not want to, one never says.</summary>
    public static string? Level(int session) => (session % 10) switch
    {
        7 => null,
        8 => "error",
        _ => session % 2 == 0 ? "debug" : "info",
    };

    /// <summary>Whether a session subscribes to the resource that shows the last announcement: every other one.</summary>
    public static bool Subscribes(int session) => session % 2 == 0;

    public IEnumerable<PlannedCall> Opening(SessionContext session)
    {
        if (Level(session.Number) is not null)
            yield return SetLevel(session);
        if (Subscribes(session.Number))
            yield return PlannedCall.Request("resources/subscribe", new() { ["uri"] = Board }, Quick);
    }

    public IEnumerable<PlannedCall> Each(SessionContext session) =>
        [.. _mix.Select(part => part.Plan(session)).Where(call => call.CancelAfter is null), .. Opening(session)];

    public PlannedCall Next(SessionContext session)
    {
        var dice = session.Random.NextDouble() * _sum;
        foreach (var (weight, plan) in _mix)
        {
            if ((dice -= weight) < 0)
                return plan(session);
        }

        return Echo(session);
    }

    // Short: a new owner counts from the start again.
    public PlannedCall? Watch(SessionContext session) => Countdown(TimeSpan.FromSeconds(0.5), 50);

    /// <summary>An announcement to all sessions.</summary>
    public static PlannedCall Announce(SessionContext session)
    {
        var text = session.Mark("news");
        return PlannedCall.Tool("announce", new() { ["text"] = text },
            new(MayRunAgain: false, TimeSpan.Zero) { Text = $"announced: {text}", Announcement = text });
    }

    /// <summary>All notes of the session.</summary>
    public static PlannedCall ListNotes(SessionContext session) => PlannedCall.Tool("notes_list", [], Quick with { Effect = Effect.ReadsNotes });

    /// <summary>Adds one to the session's counter.</summary>
    public static PlannedCall Count(SessionContext session) => PlannedCall.Tool("counter_increment", [], Quick with { Effect = Effect.Counts });

    /// <summary>All notes behind a handle.</summary>
    public static PlannedCall ListNotes(SharedHandle handle) =>
        PlannedCall.Tool("notes_list", new() { ["notebook"] = handle.Id },
            Quick with { Effect = Effect.ReadsNotes, Handle = handle.Id }) with { Shared = handle };

    /// <summary>Adds one to the counter behind a handle.</summary>
    public static PlannedCall Count(SharedHandle handle) =>
        PlannedCall.Tool("counter_increment", new() { ["counter"] = handle.Id },
            Quick with { Effect = Effect.Counts, Handle = handle.Id }) with { Shared = handle };

    private static PlannedCall Echo(SessionContext session)
    {
        var text = session.Mark("echo");
        return PlannedCall.Tool("echo", new() { ["text"] = text }, Quick with { Text = text });
    }

    private static PlannedCall WhereAmI(SessionContext session) =>
        PlannedCall.Tool("where_am_i", [], Quick with { Pattern = new Regex(Regex.Escape(session.Session)), TellsEpoch = true });

    private static PlannedCall AddNote(SessionContext session)
    {
        // A notebook is answered whole with every note: enough is enough.
        if (session.Notes++ >= MaxNotes)
            return Count(session);
        var note = session.Mark("note");
        return PlannedCall.Tool("notes_add", new() { ["text"] = note }, Quick with { Effect = Effect.AddsNote, Note = note });
    }

    private PlannedCall CountShared(SessionContext session) => Count(_shared.Pick(session.Random));

    private PlannedCall ListSharedNotes(SessionContext session) => ListNotes(_shared.Pick(session.Random));

    private PlannedCall AddSharedNote(SessionContext session)
    {
        var handle = _shared.Pick(session.Random);
        if (!handle.TakesNote(MaxNotes))
            return Count(handle);
        var note = session.Mark("shared");
        return PlannedCall.Tool(
            "notes_add",
            new() { ["text"] = note, ["notebook"] = handle.Id },
            Quick with { Effect = Effect.AddsNote, Note = note, Handle = handle.Id }) with { Shared = handle };
    }

    private static PlannedCall Countdown(SessionContext session) =>
        Countdown(session.Between(0.3, 3), session.Random.Next(1, 7) * 50) with { InBackground = true };

    private static PlannedCall Countdown(TimeSpan length, int intervalMs)
    {
        var steps = (int)Math.Ceiling(length.TotalSeconds * 1000 / intervalMs);
        return PlannedCall.Tool(
            "countdown",
            new() { ["seconds"] = length.TotalSeconds, ["intervalMs"] = intervalMs },
            new(MayRunAgain: true, TimeSpan.FromMilliseconds(steps * intervalMs)) { Text = "liftoff", Steps = steps,
                StepInterval = TimeSpan.FromMilliseconds(intervalMs) });
    }

    // Long enough that a cancellation that was not heard is seen.
    private static PlannedCall CancelledCountdown(SessionContext session) =>
        Countdown(TimeSpan.FromSeconds(20), 100) with { InBackground = true, CancelAfter = session.Between(0.1, 1.5) };

    private static PlannedCall AskName(SessionContext session)
    {
        var purpose = session.Mark("party");
        var question = $"What is your name for {purpose}?";
        return PlannedCall.Tool("ask_name", new() { ["purpose"] = purpose }, new(MayRunAgain: true, Question.Thinking(question, session.Seed))
        {
            Text = $"Hello, {Question.Answer(question)}!",
            Question = question,
        }) with { InBackground = true };
    }

    private static PlannedCall CancelledAskName(SessionContext session) => AskName(session) with { CancelAfter = session.Between(0.1, 1) };

    private static PlannedCall Summarize(SessionContext session)
    {
        var text = session.Mark("story");
        var question = $"Summarize in one sentence:\n\n{text}";
        return PlannedCall.Tool("summarize", new() { ["text"] = text }, new(MayRunAgain: true, Question.Thinking(question, session.Seed))
        {
            Text = Question.Answer(question),
            Question = question,
        }) with { InBackground = true };
    }

    private static PlannedCall Deliver(SessionContext session)
    {
        var parcel = session.Mark("parcel");
        var length = session.Between(0, 1);
        return PlannedCall.Tool("deliver", new() { ["seconds"] = length.TotalSeconds, ["parcel"] = parcel }, new(MayRunAgain: false, length)
        {
            Pattern = new Regex("^delivered by "),
            Parcel = parcel,
        }) with { InBackground = true };
    }

    private static PlannedCall CancelledDeliver(SessionContext session) => Deliver(session) with { CancelAfter = session.Between(0.05, 0.5) };

    private static PlannedCall ReadBoard(SessionContext session) =>
        PlannedCall.Request("resources/read", new() { ["uri"] = Board }, Quick with { Pattern = Latest });

    // Always the same level in a session: what is heard afterwards shows whether it was kept.
    private static PlannedCall SetLevel(SessionContext session) => Level(session.Number) is { } level
        ? PlannedCall.Request("logging/setLevel", new() { ["level"] = level }, Quick)
        : Echo(session);
}

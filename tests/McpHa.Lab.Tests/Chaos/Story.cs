using System.Text.Json.Nodes;
using Mcp.HighAvailability.Lab.Chaos.Check;
using Mcp.HighAvailability.Lab.Chaos.History;

namespace McpHa.Tests.Chaos;

/// <summary>A history that is made up. Every event comes a hundredth of a second after the one before, unless the story waits.</summary>
internal sealed class Story
{
    public const string A = "session-a";
    public const string B = "session-b";
    public const string Handle = "h-1";

    private static readonly TimeSpan Moment = TimeSpan.FromMilliseconds(10);
    private static readonly Expectation Quick = new(MayRunAgain: true, TimeSpan.Zero);

    private readonly Dictionary<long, CallBegun> _calls = [];
    private long _number;
    private TimeSpan _now;

    public List<HistoryEvent> Events { get; } = [];

    public List<string> Deliveries { get; } = [];

    public CheckOptions Options { get; set; } = new(TimeSpan.FromSeconds(60), Direct: false, ["echo"]) { FinalReadings = false };

    public TimeSpan Now => _now;

    /// <summary>Two sessions that work.</summary>
    public static Story OfTwoSessions()
    {
        var story = new Story();
        foreach (var session in (string[])[A, B])
        {
            story.Open(session);
            story.Echo(session);
        }

        return story;
    }

    public Verdict Check() => Checker.Check(Events, Deliveries, Options);

    public void Wait(double seconds) => _now += TimeSpan.FromSeconds(seconds);

    public void Add(Func<TimeSpan, HistoryEvent> happened) => Events.Add(happened(_now += Moment));

    public void Open(string session, string revision = "2025-11-25") => Add(at => new SessionOpened(at, session, "made up", revision));

    public long Begin(string session, string tool, Expectation? expected = null, JsonObject? arguments = null)
    {
        var call = ++_number;
        Add(at => _calls[call] = new CallBegun(at, session, call, tool, arguments ?? [], expected ?? Quick));
        return call;
    }

    public void Step(long call, double progress) => Add(at => new ProgressReceived(at, SessionOf(call), call, progress, null));

    public void Response(long call) => Add(at => new AnswerReceived(at, SessionOf(call), call));

    public void Cancel(long call) => Add(at => new CallCancelled(at, SessionOf(call), call));

    public void Outcome(long call, CallOutcome outcome) => Add(at => new CallEnded(at, SessionOf(call), call, outcome));

    /// <summary>The call's response, and its end.</summary>
    public void End(long call, string? text = null, JsonNode? structured = null)
    {
        Response(call);
        Outcome(call, new(OutcomeKind.Result, text ?? _calls[call].Expected.Text, structured));
    }

    public void Echo(string session)
    {
        var text = $"echo-{_number + 1}";
        End(Begin(session, "echo", Quick with { Text = text }), text);
    }

    public long BeginNote(string session, string note, string? handle = null) =>
        Begin(session, "notes_add", Quick with { Effect = Effect.AddsNote, Note = note, Handle = handle });

    public void EndNotes(long call, params string[] notes) =>
        End(call, "", new JsonObject { ["notes"] = new JsonArray([.. notes.Select(note => JsonValue.Create(note))]) });

    public void ListNotes(string session, string? handle, params string[] notes) =>
        EndNotes(Begin(session, "notes_list", Quick with { Effect = Effect.ReadsNotes, Handle = handle }), notes);

    public long BeginCount(string session, string? handle = null) =>
        Begin(session, "counter_increment", Quick with { Effect = Effect.Counts, Handle = handle });

    public void EndCount(long call, long value) => End(call, "", new JsonObject { ["value"] = value });

    public void Count(string session, long value, string? handle = null) => EndCount(BeginCount(session, handle), value);

    public long BeginCountdown(string session, int steps) => Begin(
        session, "countdown", new(MayRunAgain: true, TimeSpan.FromMilliseconds(50 * steps)) { Text = "liftoff", Steps = steps, StepInterval = TimeSpan.FromMilliseconds(50) });

    public long BeginDelivery(string session, string parcel) =>
        Begin(session, "deliver", new(MayRunAgain: false, TimeSpan.Zero) { Parcel = parcel });

    public void Delivered(string parcel) => Deliveries.Add($$"""{"call":"x","parcel":"{{parcel}}","pid":1}""");

    public long BeginQuestion(string session, string question) =>
        Begin(session, "ask_name", Quick with { Question = question, Text = $"re:{question}" });

    public void Asked(string session, string id, string question) => Add(at => new QuestionReceived(at, session, "elicitation/create", id, question));

    public long BeginAnnouncement(string session, string text) =>
        Begin(session, "announce", new(MayRunAgain: false, TimeSpan.Zero) { Announcement = text });

    public void Announce(string session, string text) => End(BeginAnnouncement(session, text));

    public void Heard(string session, string text) => Add(at => new StreamReceived(at, session, "notifications/message", text));

    public void Updated(string session) => Add(at => new StreamReceived(at, session, "notifications/resources/updated", "board"));

    public void SetLevel(string session, string level) => End(Begin(session, "logging/setLevel", Quick, new() { ["level"] = level }));

    public void Subscribe(string session) => End(Begin(session, "resources/subscribe", Quick, new() { ["uri"] = "board" }));

    public void FinalReading(string session, long counter, params string[] notes) => Add(at => new FinalReading(at, session, notes, counter));

    /// <summary>A fault goes on while something happens.</summary>
    public void Fault(FaultKind kind, Action meanwhile, params string[]? affected) => Fault(kind, hitsAll: false, meanwhile, affected);

    public void Fault(FaultKind kind, bool hitsAll, Action meanwhile, params string[]? affected)
    {
        var number = Events.OfType<FaultBegan>().Count() + 1;
        Add(at => new FaultBegan(at, number, kind, "made up", affected is { Length: 0 } ? null : affected, hitsAll));
        meanwhile();
        Add(at => new FaultEnded(at, number));
    }

    /// <summary>A history with just one thing wrong is found, and its twin without it passes.</summary>
    public static void Finds(ViolationKind kind, Action<Story, bool> tell)
    {
        var right = OfTwoSessions();
        tell(right, false);
        Assert.Empty(right.Check().Violations.Select(violation => $"{violation.Kind}: {violation.Text}"));

        var wrong = OfTwoSessions();
        tell(wrong, true);
        var found = wrong.Check().Violations;
        Assert.NotEmpty(found);
        Assert.All(found, violation => Assert.True(violation.Kind == kind, $"{violation.Kind}: {violation.Text}"));
    }

    private string SessionOf(long call) => _calls[call].Session;
}

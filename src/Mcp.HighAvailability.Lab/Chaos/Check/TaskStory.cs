using Mcp.HighAvailability.Lab.Chaos.History;

namespace Mcp.HighAvailability.Lab.Chaos.Check;

/// <summary>The events of one task, in order.</summary>
internal sealed class TaskStory
{
    private const int MaxEventsAround = 60;
    private static readonly TimeSpan Near = TimeSpan.FromSeconds(5);

    private readonly Facts _facts;
    private readonly List<TaskEvent> _events;

    private TaskStory(Facts facts, IEnumerable<TaskEvent> events)
    {
        (_facts, _events) = (facts, [.. events]);
        Asked = (TaskAsked)_events[0];
        Created = Of<TaskCreated>().FirstOrDefault();
        Seen = [.. Of<TaskSeen>()];
        End = Seen.FirstOrDefault(seen => seen.HasEnded);
    }

    public TaskAsked Asked { get; }

    public TaskExpectation Expected => Asked.Expected;

    public TaskCreated? Created { get; }

    /// <summary>What was seen of it, by polls and notices.</summary>
    public IReadOnlyList<TaskSeen> Seen { get; }

    /// <summary>The first time that it was seen to have ended; <see langword="null"/>: never.</summary>
    public TaskSeen? End { get; }

    /// <summary>When it was over for its client.</summary>
    public TimeSpan Over => End?.At ?? _facts.End;

    public bool IsCompleted => End?.Status == "completed";

    public static IEnumerable<TaskStory> All(Facts facts) =>
        facts.Events.OfType<TaskEvent>().GroupBy(happened => happened.Task).Where(task => task.First() is TaskAsked).Select(task => new TaskStory(facts, task));

    public IEnumerable<T> Of<T>() where T : TaskEvent => _events.OfType<T>();

    /// <summary>Faults that may have hit it in its life.</summary>
    public IEnumerable<Fault> Faults => _facts.Faults.Where(fault => fault.Overlaps(Asked.At, Over, Facts.Aftermath));

    public Violation Violation(ViolationKind kind, TimeSpan at, string text)
    {
        var around = _facts.Events.Where(happened =>
            happened is TaskEvent of
                ? of.Task == Asked.Task
                : happened is FaultBegan or FaultEnded && happened.At >= Asked.At - Near && happened.At <= at + Near);
        return new(kind, at, null, null, $"{this} {text}",
            [.. around.OrderBy(happened => (happened.At - at).Duration()).Take(MaxEventsAround).OrderBy(happened => happened.At)]);
    }

    public override string ToString() => $"task {Asked.Task} ({Asked.Tool}, {Created?.Id ?? "not created"})";
}

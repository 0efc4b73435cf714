using Mcp.HighAvailability.Lab.Chaos.Check.Rules;
using Mcp.HighAvailability.Lab.Chaos.History;

namespace Mcp.HighAvailability.Lab.Chaos.Check;

/// <summary>Figures of a run.</summary>
/// <param name="CallsByTool">Calls begun.</param>
/// <param name="Errors">Calls that ended with an error, by kind; the promised ones too.</param>
/// <param name="PromisedErrors">Those of them that are promised: "may have run".</param>
/// <param name="Tasks">Tasks that were created.</param>
/// <param name="TasksEnded">Tasks that were seen to end.</param>
/// <param name="Repeated">HTTP requests that were sent again to another endpoint.</param>
internal sealed record Counts(
    int Sessions,
    int Calls,
    IReadOnlyDictionary<string, int> CallsByTool,
    IReadOnlyDictionary<string, int> Errors,
    int PromisedErrors,
    int Cancelled,
    int Tasks,
    int TasksEnded,
    int Repeated,
    int Steps,
    int Questions,
    int Announcements,
    int Deliveries,
    int Lost,
    int Doubled,
    int OutOfOrder,
    int SessionsLost,
    int Hung)
{
    public static Counts Of(Facts facts, IReadOnlyList<Violation> violations)
    {
        var failed = facts.Calls.Where(call => call.Outcome is { Kind: not (OutcomeKind.Result or OutcomeKind.Cancelled) }).ToList();
        var kinds = violations.CountBy(violation => violation.Kind).ToDictionary();
        return new(
            facts.Opened.Count,
            facts.Calls.Count,
            facts.Calls.CountBy(call => call.Tool).OrderBy(tool => tool.Key).ToDictionary(),
            failed.CountBy(call => Name(call.Outcome!)).OrderBy(kind => kind.Key).ToDictionary(),
            failed.Count(call => OutcomeRule.IsPromised(facts, call, call.Outcome!)),
            facts.Calls.Count(call => call.Outcome?.Kind == OutcomeKind.Cancelled),
            facts.Events.OfType<TaskCreated>().Count(),
            facts.Events.OfType<TaskSeen>().Where(seen => seen.HasEnded).DistinctBy(seen => seen.Task).Count(),
            facts.Events.OfType<HttpTrouble>().Count(trouble => trouble.Repeated),
            facts.Events.OfType<ProgressReceived>().Count(),
            facts.Events.OfType<QuestionReceived>().Count(),
            facts.Events.OfType<StreamReceived>().Count(),
            facts.Deliveries.Count,
            kinds.GetValueOrDefault(ViolationKind.Lost),
            kinds.GetValueOrDefault(ViolationKind.Doubled),
            kinds.GetValueOrDefault(ViolationKind.OutOfOrder),
            kinds.GetValueOrDefault(ViolationKind.SessionLost),
            kinds.GetValueOrDefault(ViolationKind.Hung));
    }

    /// <summary>The kind of an error, for people.</summary>
    public static string Name(CallOutcome outcome) => outcome switch
    {
        { Kind: OutcomeKind.RpcError, Code: CallOutcome.MayHaveRun } => "may have run",
        { Kind: OutcomeKind.RpcError } => $"error {outcome.Code}",
        { Kind: OutcomeKind.TransportError, Code: { } status } => $"HTTP {status}",
        { Kind: OutcomeKind.TransportError } => "connection",
        { Kind: OutcomeKind.ToolError } => "tool error",
        _ => "time-out",
    };
}

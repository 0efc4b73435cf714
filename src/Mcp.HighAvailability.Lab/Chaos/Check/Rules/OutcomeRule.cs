using Mcp.HighAvailability.Lab.Chaos.History;

namespace Mcp.HighAvailability.Lab.Chaos.Check.Rules;

/// <summary>
/// Every call has exactly one outcome, within its time. The only allowed error is "may have run": for a call that must not run again while a fault hits
/// its session's owner, and for any other call when a fault hits the owner, and the same or another one the replica that may have followed. Behind a
/// plain load balancer a connection may also break during a fault, and so it may when our balancer dies: clients of revisions before 2025-11-25 cannot
/// resume a response that has sent nothing yet. A handle is unknown after Redis has lost its data.
/// </summary>
internal static class OutcomeRule
{
    // The default of HighAvailability:MaxReplicaLosses.
    private const int MaxLosses = 2;

    public static IEnumerable<Violation> Find(Facts facts)
    {
        foreach (var call in facts.Calls)
        {
            if (call.Ends.Count == 0)
                yield return facts.Violation(ViolationKind.Hung, call, facts.End, $"{call} never ended");
            if (call.Ends.Count > 1)
                yield return facts.Violation(ViolationKind.Doubled, call, call.Ends[1].At,
                    $"{call} ended twice: {call.Ends[0].Outcome}, then {call.Ends[1].Outcome}");
            if (call is not { Outcome: { } outcome, End: { } end })
                continue;
            if (outcome.Kind == OutcomeKind.TimedOut)
                yield return facts.Violation(ViolationKind.Hung, call, end, $"{call} did not end within {(end - call.Begin).TotalSeconds:0.0} s");
            else if (outcome.Kind == OutcomeKind.Cancelled ? call.Cancelled is null : outcome.Kind != OutcomeKind.Result && !IsPromised(facts, call, outcome))
                yield return facts.Violation(ViolationKind.Error, call, end, $"{call} ended with {outcome}, which is not promised here");
        }
    }

    /// <summary>Whether an error is one that the promise names.</summary>
    public static bool IsPromised(Facts facts, Call call, CallOutcome outcome)
    {
        var end = call.End ?? facts.End;
        return outcome switch
        {
            { Kind: OutcomeKind.RpcError, Code: CallOutcome.MayHaveRun } when call.Expected.MayRunAgain =>
                Faults().Any(fault => fault.RunsAgain) && facts.Faults.Where(Overlaps).Sum(fault => fault.Losses) >= MaxLosses,
            { Kind: OutcomeKind.RpcError, Code: CallOutcome.MayHaveRun } => Faults().Any(fault => fault.Kind != FaultKind.Balancer),
            { Kind: OutcomeKind.TransportError } => facts.Faults.Any(fault => fault.Overlaps(call.Begin, end, Facts.Aftermath)
                && (facts.Options.Direct || (fault.Kind == FaultKind.Balancer && call.Progress.Count == 0 && !facts.IsPrimed(call.Session)))),
            { Kind: OutcomeKind.ToolError } => call.Expected.Handle is not null && StateResult.IsUnknownHandle(outcome) && facts.Wiped(TimeSpan.Zero, end),
            _ => false,
        };

        // Where a session that has just moved is cannot be known: the next fault may hit it there.
        IEnumerable<Fault> Faults() => facts.Faults.Where(fault => fault.Touches(call.Session) && Overlaps(fault));
        bool Overlaps(Fault fault) => fault.Overlaps(call.Begin, end, Facts.Aftermath);
    }
}

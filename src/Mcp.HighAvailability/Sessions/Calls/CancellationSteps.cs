using Mcp.HighAvailability.Protocol;
using Mcp.HighAvailability.Relay;
using ModelContextProtocol.Protocol;

namespace Mcp.HighAvailability.Sessions;

/// <summary>Steps of cancellations.</summary>
internal static class CancellationSteps
{
    /// <summary>
    /// Withdraws the newest call with an id, or the newest request with it that waits: durably, so that no later owner runs it again. A cancellation for
    /// which there is no call does nothing: clients use an id again, and a request that comes later is another one.
    /// </summary>
    /// <returns>The call, if one was withdrawn, and the batch that says so.</returns>
    public static (OpenCall? Call, long Ticket) Cancel(SessionCore core, RequestId id, ExchangeId cancellation)
    {
        if (core.Calls.HasCancelled(cancellation) || core.Admission.Withdraw(id))
            return default;
        if (core.Calls.FindNewest(id) is not { } call || !CallSteps.TryEnd(core, call))
            return default;
        call.Withdrawn = true;
        var batch = core.Commits.Open();
        if (core.Calls.Withdraw(new(call.Stream.Id, call.Exchange, cancellation)) is { } forgotten)
            batch.SetCall(forgotten, null);
        batch.SetCall(call.Stream.Id, InFlightCall.Withdrawn(call.Exchange, cancellation));
        batch.Then(new(EffectKind.Complete, call.Stream));
        HandOverSteps.NoteEnd(core);
        return (call, core.Commits.Flush());
    }
}

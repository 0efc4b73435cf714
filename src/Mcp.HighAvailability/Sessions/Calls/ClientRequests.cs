using System.Security.Claims;
using System.Text.Json.Nodes;
using Mcp.HighAvailability.Diagnostics;
using Mcp.HighAvailability.Protocol;
using Mcp.HighAvailability.Relay;
using Mcp.HighAvailability.Storage;
using ModelContextProtocol.Protocol;

namespace Mcp.HighAvailability.Sessions;

/// <summary>Takes a client's requests: each begins once, and runs when it may.</summary>
internal sealed class ClientRequests(LiveSession session)
{
    /// <summary>
    /// Takes a client's request, and returns what reads its answer. A repetition, of an exchange that is in flight or was lately answered, is
    /// not run again: the reader gets the answer of the first one. <see langword="null"/>: the session is no longer served here.
    /// </summary>
    /// <param name="message">The request.</param>
    /// <param name="body">Its bytes.</param>
    /// <param name="from">The exchange that brings it.</param>
    /// <param name="user">Who sends it.</param>
    public async ValueTask<StreamSubscription?> AdmitAsync(JsonRpcRequest message, ReadOnlyMemory<byte> body, ClientExchange from, ClaimsPrincipal? user)
    {
        session.Touch();
        var mayRunTwice = RerunPolicy.Allows(message, session.Activation.Options);
        var lazy = mayRunTwice && !session.HasOneStream && from.BegunAt.Count == 0 && !session.Reruns.IsCareful;
        var request = new CallRequest(session, message, CallTrace.Keep(message, body), from, mayRunTwice, lazy);
        Admission admission = default;
        do
        {
            if (admission.Waiting is { } waiting)
                await UntilItMayBegin(waiting, mayRunTwice).ConfigureAwait(false);
            admission = session.Runner.Run((request, admission.Waiting), static (core, asked) => CallSteps.Admit(core, asked.request, asked.Waiting));
        }
        while (admission.Kind == AdmissionKind.Waits);

        switch (admission.Kind)
        {
            case AdmissionKind.Begun when lazy:
                session.Runtime.LazyFlusher.Add(session.Runner, admission.Call!.Beginning!);
                from.HasBegun = true;
                Dispatch(admission.Call, user, ExecutionContext.Capture());
                return admission.Reader;
            case AdmissionKind.Begun:
                return await BeginAsync(admission, from, user).ConfigureAwait(false);
            case AdmissionKind.Repeated:
                session.Runtime.Metrics.Repeated();
                from.HasBegun = true;
                session.Reruns.Run(admission.Call, user);
                // With one stream for all answers, a POST is answered when the call is written down, for its client never sends it again.
                return !session.HasOneStream || await IsWrittenAsync(
                    session.Runner.WrittenAsync(session.Runner.Run(static core => core.Commits.Drain()), WaitMode.Fails)).ConfigureAwait(false)
                    ? admission.Reader : null;
            case AdmissionKind.Withdrawn:
                return Nothing();
            default:
                return null;
        }
    }

    /// <summary>Waits for a commit; <see langword="false"/> when it will not be written, because the session is over here.</summary>
    /// <exception cref="StoreUnavailableException">The store is away for too long, if the wait is one that fails then.</exception>
    public static async ValueTask<bool> IsWrittenAsync(Task written)
    {
        await written.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (written.IsFaulted)
            await written.ConfigureAwait(false);
        return written.IsCompletedSuccessfully;
    }

    /// <summary>A cancellation as the SDK understands it: by the id that it knows the request by.</summary>
    public static JsonRpcNotification Cancellation(OpenCall call, JsonNode parameters)
    {
        parameters["requestId"] = call.Stream.Id;
        return new JsonRpcNotification { Method = NotificationMethods.CancelledNotification, Params = parameters };
    }

    /// <summary>Hands a call to the SDK.</summary>
    /// <remarks>The SDK tells running requests and questions apart by id alone, so requests get ids that no question can have.</remarks>
    public void Dispatch(OpenCall call, ClaimsPrincipal? user, ExecutionContext? flow)
    {
        ExecutionContext? context = null;
        if (flow is null)
            Capture(null);
        else
            ExecutionContext.Run(flow, Capture, null);

        var request = new JsonRpcRequest
        {
            Id = new RequestId(call.Stream.Id),
            Method = call.Request.Method,
            Params = call.Request.Params,
            Context = new JsonRpcMessageContext { RelatedTransport = call, User = user, ExecutionContext = context },
        };

        // A call that was cancelled before it started never starts. If the cancellation reached the SDK before the call did, the SDK ignored it, so it
        // is sent again.
        if (call.Withdrawn)
            return;
        session.Transport.Feed(request);
        if (call.Withdrawn)
            session.Transport.Feed(Cancellation(call, new JsonObject()));

        void Capture(object? _)
        {
            var before = CallScope.Current;
            CallScope.Current = call;
            using (session.BeginScope())
                context = ExecutionContext.Capture();
            CallScope.Current = before;
        }
    }

    // Apart, so that a call that need not wait allocates nothing for it.
    private Task UntilItMayBegin(WaitingRequest waiting, bool mayRunTwice) =>
        session.Runner.WhenAsync(core => !core.IsActive || waiting.Withdrawn || CallSteps.MayBegin(core, mayRunTwice));

    // What must never run twice is written down before it runs once.
    private async ValueTask<StreamSubscription?> BeginAsync(Admission admission, ClientExchange from, ClaimsPrincipal? user)
    {
        var (call, flow) = (admission.Call!, ExecutionContext.Capture());
        try
        {
            if (!await IsWrittenAsync(session.Runner.WrittenAsync(admission.Ticket, WaitMode.Fails)).ConfigureAwait(false))
            {
                LiveSession.Detach(admission.Reader!);
                return null;
            }
        }
        catch (StoreUnavailableException)
        {
            // It has not run, and will not. Who has asked for it again meanwhile asks once more.
            session.Runner.Run(call, CallSteps.Refuse);
            LiveSession.Detach(admission.Reader!);
            call.Stream.Move();
            throw;
        }

        from.HasBegun = true;
        if (call.EarlierLosses == 0 || !call.MayRunTwice || !session.Reruns.EndIfLostTooOften(call))
            Dispatch(call, user, flow);
        return admission.Reader;
    }

    // What answers a request that was cancelled while it waited, or that repeats a cancelled one.
    private static StreamSubscription Nothing()
    {
        var nothing = new EventStream("");
        nothing.Complete();
        return nothing.Attach();
    }
}

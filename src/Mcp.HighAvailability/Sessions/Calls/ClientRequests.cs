using System.Security.Claims;
using System.Text.Json.Nodes;
using Mcp.HighAvailability.Diagnostics;
using Mcp.HighAvailability.Journal;
using Mcp.HighAvailability.Relay;
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
        var mayRunTwice = RerunPolicy.Allows(message, session.Runtime.ServerOptions);
        var lazy = mayRunTwice && !session.IsLegacy && from.BegunAt.Count == 0 && !session.Reruns.IsCareful;
        var request = new CallRequest(session, message, CallTrace.Keep(message, body), from, mayRunTwice, lazy);
        Admission admission = default;
        do
        {
            if (admission.Waiting is { } waiting && !await UntilItMayBeginAsync(waiting, mayRunTwice).ConfigureAwait(false))
                return waiting.Withdrawn ? Nothing() : null;
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
                // A POST of HTTP+SSE is answered when the call is written down, for its client never sends it again.
                return !session.IsLegacy || await IsWrittenAsync(session.DrainAsync()).ConfigureAwait(false) ? admission.Reader : null;
            case AdmissionKind.Withdrawn:
                return Nothing();
            default:
                return null;
        }
    }

    /// <summary>Waits for a commit; <see langword="false"/> when it will not be written, because the session is over here.</summary>
    public static async ValueTask<bool> IsWrittenAsync(Task written)
    {
        await written.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
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

        // Withdrawn while it was written down: it never starts. Withdrawn just now: the SDK may have taken the cancellation, which
        // came first, for nobody's, so it hears of it again.
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

    private async Task<bool> UntilItMayBeginAsync(WaitingRequest waiting, bool mayRunTwice)
    {
        var may = session.Runner.WhenAsync(core => !core.IsActive || waiting.Withdrawn || CallSteps.MayBegin(core, mayRunTwice));
        if (await session.UnlessSentElsewhereAsync(TrueAsync(may)).ConfigureAwait(false))
            return true;
        session.Runner.Run(waiting, static (core, waiting) =>
        {
            core.Admission.Leave(waiting);
            return true;
        });
        return false;

        static async Task<bool> TrueAsync(Task task)
        {
            await task.ConfigureAwait(false);
            return true;
        }
    }

    // What must never run twice is written down before it runs once.
    private async ValueTask<StreamSubscription?> BeginAsync(Admission admission, ClientExchange from, ClaimsPrincipal? user)
    {
        var call = admission.Call!;
        var written = call.MayRunTwice && !session.IsLegacy ? session.Runner.ShownAsync(admission.Ticket) : session.Runner.WrittenAsync(admission.Ticket);
        var dispatching = DispatchWhenWrittenAsync(written, call, user, ExecutionContext.Capture());
        if (await session.UnlessSentElsewhereAsync(dispatching).ConfigureAwait(false))
        {
            from.HasBegun = true;
            return admission.Reader;
        }

        // Sent elsewhere it may still begin here, later.
        from.HasBegun = !dispatching.IsCompleted;
        LiveSession.Detach(admission.Reader!);
        return null;
    }

    private async Task<bool> DispatchWhenWrittenAsync(Task written, OpenCall call, ClaimsPrincipal? user, ExecutionContext? flow)
    {
        if (!await IsWrittenAsync(written).ConfigureAwait(false))
            return false;
        if (call.EarlierLosses > 0 && call.MayRunTwice && session.Reruns.EndIfLostTooOften(call))
            return true;
        Dispatch(call, user, flow);
        return true;
    }

    // What answers a request that was cancelled while it waited, or that repeats a cancelled one.
    private static StreamSubscription Nothing()
    {
        var nothing = new EventStream("");
        nothing.Complete();
        return nothing.Attach();
    }
}

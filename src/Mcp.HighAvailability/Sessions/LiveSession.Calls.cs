using System.Security.Claims;
using System.Text.Json.Nodes;
using Mcp.HighAvailability.Diagnostics;
using Mcp.HighAvailability.Http;
using Mcp.HighAvailability.Journal;
using Mcp.HighAvailability.Relay;
using ModelContextProtocol.Protocol;

namespace Mcp.HighAvailability.Sessions;

/// <summary>Client requests: begun, run, answered, each exactly once.</summary>
internal sealed partial class LiveSession
{
    /// <summary>
    /// Takes a client's request, and returns what reads its answer. A repetition, of an exchange that is in flight or was lately answered, is
    /// not run again: the reader gets the answer of the first one. <see langword="null"/>: the session is no longer served here.
    /// </summary>
    /// <param name="request">The request.</param>
    /// <param name="body">Its bytes.</param>
    /// <param name="from">The exchange that brings it.</param>
    /// <param name="user">Who sends it.</param>
    public async ValueTask<StreamSubscription?> AdmitAsync(JsonRpcRequest request, ReadOnlyMemory<byte> body, ClientExchange from, ClaimsPrincipal? user)
    {
        Touch();
        // A POST of HTTP+SSE is answered when the call is written down, for its client never sends it again.
        var mayRunTwice = RerunPolicy.Allows(request, _runtime.ServerOptions);
        var lazy = mayRunTwice && !IsLegacy && from.BegunAt.Count == 0 && !IsCareful;
        var exchange = from.Id;
        var kept = CallTrace.Keep(request, body);
        OpenCall call = null!;
        StreamSubscription reader = null!;
        CommitBatch beginning = null!;
        StreamSubscription? repeated;
        OpenCall? awaiting = null;
        Task begun = Task.CompletedTask;
        WaitingRequest? waiting = null;
        while (true)
        {
            TaskCompletionSource? pause;
            lock (Gate)
            {
                // A call that has waited here may have been cancelled meanwhile, of which the next owner does not know.
                if (_closed || waiting is { Withdrawn: true })
                    return StopWaiting(waiting);
                repeated = Repeated(exchange);
                if (repeated is not null)
                {
                    StopWaiting(waiting);
                    awaiting = StopAwaiting(Calls.Find(exchange));
                    break;
                }

                if (Calls.WasWithdrawn(exchange))
                {
                    StopWaiting(waiting);
                    return Withdrawn();
                }

                pause = _pause ?? (mayRunTwice ? null : Hold);
                if (pause is null)
                {
                    StopWaiting(waiting);
                    call = new(this, new EventStream(NextCallStream(), GetStreams.Only), exchange, request, kept)
                    {
                        EarlierLosses = (byte)_record.Hops.LostOf(from.BegunAt),
                        MayRunTwice = mayRunTwice,
                    };
                    reader = call.Stream.Attach();
                    Calls.Add(call);
                    beginning = Queue.Open();
                    beginning.SetCall(call.Stream.Id, new InFlightCall(exchange, call.EarlierLosses, kept).ToBytes());
                    beginning.Then(new(EffectKind.Prime, call.Stream));
                    call.Beginning = beginning;
                    if (!lazy)
                        begun = mayRunTwice && !IsLegacy ? beginning.Done : beginning.Written;
                    break;
                }

                if (waiting is null)
                    (_waiting ??= []).Add(waiting = new(request.Id, exchange));
            }

            if (!await UnlessSentElsewhereAsync(WrittenAsync(pause.Task).AsTask()).ConfigureAwait(false))
            {
                lock (Gate)
                    return StopWaiting(waiting);
            }
        }

        if (repeated is not null)
        {
            from.HasBegun = true;
            RunAgain(awaiting, user);
            return !IsLegacy || await WrittenAsync(Queue.DrainAsync()).ConfigureAwait(false) ? repeated : null;
        }

        if (lazy)
        {
            _runtime.LazyFlusher.Add(Queue, beginning);
        }
        else
        {
            // What must never run twice is written down before it runs once.
            Queue.Flush();
            var dispatching = DispatchWhenWrittenAsync(begun, call, user, ExecutionContext.Capture());
            if (!await UnlessSentElsewhereAsync(dispatching).ConfigureAwait(false))
            {
                // Sent elsewhere it may still begin here, later.
                from.HasBegun = !dispatching.IsCompleted;
                Detach(reader);
                return null;
            }

            from.HasBegun = true;
            return reader;
        }

        from.HasBegun = true;
        Dispatch(call, user, ExecutionContext.Capture());
        return reader;
    }

    private async Task<bool> DispatchWhenWrittenAsync(Task begun, OpenCall call, ClaimsPrincipal? user, ExecutionContext? flow)
    {
        if (!await WrittenAsync(begun).ConfigureAwait(false))
            return false;
        if (call.EarlierLosses > 0 && RerunPolicy.Allows(call.Request, _runtime.ServerOptions) && EndIfLostTooOften(call))
            return true;
        Dispatch(call, user, flow);
        return true;
    }

    // Waits for a commit; false when the session was fenced meanwhile.
    private static async ValueTask<bool> WrittenAsync(Task done)
    {
        await done.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        return done.IsCompletedSuccessfully;
    }

    // The SDK tells running requests and questions apart by id alone, so requests get ids that no question can have.
    private void Dispatch(OpenCall call, ClaimsPrincipal? user, ExecutionContext? flow)
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
        Transport.Feed(request);
        if (call.Withdrawn)
            Transport.Feed(Cancellation(call, new JsonObject()));

        void Capture(object? _)
        {
            var before = CallScope.Current;
            CallScope.Current = call;
            using (BeginScope())
                context = ExecutionContext.Capture();
            CallScope.Current = before;
        }
    }

    // Under the gate.
    private StreamSubscription? Repeated(ExchangeId exchange)
    {
        if (Calls.Find(exchange) is { } open)
        {
            _runtime.Metrics.Repeated();
            var reader = open.Stream.Attach();
            reader.StartWithCatchUp();
            return reader;
        }

        if (Calls.Recall(exchange) is { } stream)
        {
            _runtime.Metrics.Repeated();
            var answered = new EventStream(stream);
            answered.Complete();
            var reader = answered.Attach();
            reader.StartWithCatchUp();
            return reader;
        }

        return null;
    }

    // Under the gate. Takes a call out of the in-flight table; false when that has happened, or the session is not ours.
    private bool TryEnd(OpenCall call)
    {
        if (call.Ended || _closed && _gone.Task.IsCompleted)
            return false;
        call.Ended = true;
        Calls.Remove(call);
        NoteQuiet();
        if (call.Beginning is { } beginning)
            _runtime.LazyFlusher.Ended(beginning);
        foreach (var question in call.Questions.Names)
            _questions.TryRemove(question, out _);
        var batch = Queue.Open();
        if (call.Beginning == batch && batch.TakeBackCall(call.Stream.Id))
            batch.ForgetPrime(call.Stream);
        else
            batch.SetCall(call.Stream.Id, null);
        foreach (var answer in call.StoredAnswers?.Keys ?? Enumerable.Empty<string>())
        {
            if (!batch.TakeBackCall(answer))
                batch.SetCall(answer, null);
        }

        return true;
    }
}

using Mcp.HighAvailability.Protocol;
using Mcp.HighAvailability.Relay;
using ModelContextProtocol.Protocol;

namespace Mcp.HighAvailability.Sessions;

/// <summary>A client request that asks to be admitted.</summary>
/// <param name="Session">What the call sends through.</param>
/// <param name="Message">The request.</param>
/// <param name="Body">Its bytes, as they are kept.</param>
/// <param name="From">The exchange that brings it.</param>
/// <param name="MayRunTwice">The rerun policy allows another run.</param>
/// <param name="Lazy">Its beginning is written only if the call takes a while.</param>
internal readonly record struct CallRequest(
    LiveSession Session, JsonRpcRequest Message, ReadOnlyMemory<byte> Body, ClientExchange From, bool MayRunTwice, bool Lazy);

/// <summary>Admission of a request.</summary>
internal enum AdmissionKind
{
    /// <summary>The call is in the table. Unless it is lazy it must not run before <see cref="Admission.Ticket"/> is written.</summary>
    Begun,

    /// <summary>The exchange is in flight or was answered: the reader gets the answer of the first one.</summary>
    Repeated,

    /// <summary>The client has cancelled the call: there is no answer.</summary>
    Withdrawn,

    /// <summary>The request waits until calls may begin, and asks again.</summary>
    Waits,

    /// <summary>The session takes no requests here.</summary>
    NotServed,
}

/// <summary>Outcome of <see cref="CallSteps.Admit"/>.</summary>
/// <param name="Kind">What becomes of the request.</param>
/// <param name="Call">The call that begins; of a repetition the one that has waited for its caller, to be run now.</param>
/// <param name="Reader">Reads the answer.</param>
/// <param name="Ticket">The batch that writes the beginning.</param>
/// <param name="Waiting">The request among those that wait.</param>
internal readonly record struct Admission(
    AdmissionKind Kind, OpenCall? Call = null, StreamSubscription? Reader = null, long Ticket = 0, WaitingRequest? Waiting = null);

/// <summary>Steps of calls: admitted, repeated, ended.</summary>
internal static class CallSteps
{
    /// <summary>Whether a call may begin, as far as a move of the session is concerned.</summary>
    public static bool MayBegin(SessionCore core, bool mayRunTwice)
    {
        // Not held while the client has been asked something: it may have to call before it answers.
        var held = core.Admission.HoldsOnce && !mayRunTwice && core.Questions.Count == 0;
        return !core.Admission.Paused && !held;
    }

    /// <summary>Takes a request, or says why not.</summary>
    /// <param name="core">The session.</param>
    /// <param name="request">The request.</param>
    /// <param name="waiting">The request among those that wait, if it has waited.</param>
    public static Admission Admit(SessionCore core, in CallRequest request, WaitingRequest? waiting)
    {
        var exchange = request.From.Id;

        // The client may have cancelled this call while it waited. The next owner does not know that.
        if (waiting is { Withdrawn: true })
            return Leave(new(AdmissionKind.Withdrawn));
        if (!core.IsActive)
            return Leave(new(AdmissionKind.NotServed));
        if (Repeat(core, exchange) is { } reader)
            return Leave(new(AdmissionKind.Repeated, StopAwaiting(core.Calls.Find(exchange)), reader));
        if (core.Calls.WasWithdrawn(exchange))
            return Leave(new(AdmissionKind.Withdrawn));
        if (!MayBegin(core, request.MayRunTwice))
            return new(AdmissionKind.Waits, Waiting: waiting ?? core.Admission.Wait(request.Message.Id, exchange));
        return Leave(Begin(core, request));

        Admission Leave(Admission admission)
        {
            if (waiting is not null)
                core.Admission.Leave(waiting);
            return admission;
        }
    }

    /// <summary>Takes a call out of the table. <see langword="false"/> when that has happened, or the session writes no more.</summary>
    public static bool TryEnd(SessionCore core, OpenCall call)
    {
        if (call.Ended || !core.Phase.Writes())
            return false;
        call.Ended = true;
        core.Calls.Remove(call);
        foreach (var question in call.Questions.Names)
            core.Questions.Remove(question);
        var batch = core.Commits.Open();
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

    /// <summary>Takes back a call that has not run.</summary>
    public static bool Refuse(SessionCore core, OpenCall call)
    {
        if (!TryEnd(core, call))
            return false;
        core.Commits.Flush();
        HandOverSteps.NoteEnd(core);
        return true;
    }

    /// <summary>The call, if it has waited for its caller, who has come back.</summary>
    public static OpenCall? StopAwaiting(OpenCall? call)
    {
        if (call is not { AwaitsCaller: true })
            return null;
        call.AwaitsCaller = false;
        return call;
    }

    private static Admission Begin(SessionCore core, in CallRequest request)
    {
        var name = SseEventId.NameStream(SseEventId.CallStream, core.Record.Epoch, ++core.CallStreams);
        var call = new OpenCall(request.Session, new EventStream(name, core.GetStreams.Only), request.From.Id, request.Message, request.Body)
        {
            EarlierLosses = (byte)core.Record.Hops.LostOf(request.From.BegunAt),
            MayRunTwice = request.MayRunTwice,
        };
        var reader = call.Stream.Attach();
        core.Calls.Add(call);
        var batch = call.Beginning = core.Commits.Open();
        batch.SetCall(name, new InFlightCall(call.Exchange, call.EarlierLosses, request.Body).ToBytes());
        batch.Then(new(EffectKind.Prime, call.Stream));
        if (!request.Lazy)
            core.Commits.Flush();
        return new(AdmissionKind.Begun, call, reader, batch.Ticket);
    }

    private static StreamSubscription? Repeat(SessionCore core, ExchangeId exchange)
    {
        EventStream? stream = null;
        if (core.Calls.Find(exchange) is { } open)
        {
            stream = open.Stream;
        }
        else if (core.Calls.Recall(exchange) is { } answered)
        {
            stream = new EventStream(answered);
            stream.Complete();
        }

        var reader = stream?.Attach();
        reader?.StartWithCatchUp();
        return reader;
    }
}

using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using Mcp.HighAvailability.Diagnostics;
using Mcp.HighAvailability.Journal;
using Mcp.HighAvailability.Relay;
using ModelContextProtocol.Protocol;

namespace Mcp.HighAvailability.Sessions;

/// <summary>What else a client sends: notifications, and answers to the server's questions.</summary>
internal sealed partial class LiveSession
{
    private const int MostEarlyAnswers = 64;

    // By the name that the client sees, the id that the SDK waits for.
    private readonly ConcurrentDictionary<string, RequestId> _questions = new(StringComparer.Ordinal);
    private long _unrelatedQuestions;

    /// <summary>Takes a notification or an answer; returns when it is safe to tell the client so. <see langword="false"/>: not served here.</summary>
    public ValueTask<bool> AcceptAsync(JsonRpcMessage message, ReadOnlyMemory<byte> body, ExchangeId exchange) =>
        UnlessSentElsewhereAsync(TakeAsync(message, body, exchange));

    private async Task<bool> TakeAsync(JsonRpcMessage message, ReadOnlyMemory<byte> body, ExchangeId exchange)
    {
        if (message is not JsonRpcNotification { Method: NotificationMethods.InitializedNotification })
            Touch();
        if (!Serves)
            return false;
        CallTrace.Join(message);
        if (message is JsonRpcNotification)
            message.Context = new JsonRpcMessageContext { RelatedTransport = Transport };
        switch (message)
        {
            case JsonRpcNotification { Method: NotificationMethods.CancelledNotification } cancelled:
                return await CancelAsync(cancelled, exchange).ConfigureAwait(false);
            case JsonRpcNotification { Method: NotificationMethods.InitializedNotification }:
                return await BeginAsync(message).ConfigureAwait(false);
            case JsonRpcNotification:
                return await IsStillServedAsync().ConfigureAwait(false) && Transport.Feed(message);
            case JsonRpcMessageWithId answer and not JsonRpcRequest:
                return await AcceptAnswerAsync(answer, body).ConfigureAwait(false);
        }

        return true;
    }

    // The answer is stored before the handler sees it: a run in a later owner then finds it instead of asking again.
    private async ValueTask<bool> AcceptAnswerAsync(JsonRpcMessageWithId answer, ReadOnlyMemory<byte> body)
    {
        if (answer.Id.Id is not string name)
            return true;
        var known = true;
        if (CallQuestions.StreamOf(name) is { } stream)
        {
            OpenCall? call;
            bool first;
            lock (Gate)
            {
                if (_closed)
                    return false;
                call = Calls.Find(stream);
                first = call?.StoredAnswers?.ContainsKey(name) != true;
                if (call is null || first && !MayBeAnswered(name, call))
                {
                    known = false;
                }
                else if (first)
                {
                    Queue.Open().SetCall(name, body);
                    call.AddStoredAnswer(name, body);
                }
            }

            if (!known)
                return await IsOursAsync(CancellationToken.None).ConfigureAwait(false);
            if (!await WrittenAsync(Queue.DrainAsync()).ConfigureAwait(false))
                return false;
            if (!first)
                return true; // the first answer counts; whoever repeats it learns that it is written
            if (!_questions.ContainsKey(name) && call!.History is { } history)
            {
                // The run that asks this has not come to it yet. It registers its question before it looks here.
                history.AddAnswer(name, answer);
                if (!_questions.ContainsKey(name) || history.TakeAnswer(name) is null)
                    return true;
            }
        }

        return Deliver(name, answer) || await IsOursAsync(CancellationToken.None).ConfigureAwait(false);
    }

    // While the store is away for everybody there are no take-overs, and an owner goes on with what it has.
    private async ValueTask<bool> IsStillServedAsync()
    {
        try
        {
            return await IsOursAsync(CancellationToken.None).ConfigureAwait(false);
        }
        catch (StoreUnavailableException) when (Serves)
        {
            if (!await _runtime.Commits.Standing.IsUnchallengedAsync(CancellationToken.None).ConfigureAwait(false))
                throw;
            return Serves;
        }
    }

    /// <summary>
    /// Asks the store whose session it is; ends the local copy if it is another's. What belongs to nothing here is dropped only after that: it may
    /// belong to something at the next owner, of whom this one has not heard yet, least of all when it alone is cut off from the store.
    /// </summary>
    /// <exception cref="StoreUnavailableException">The store is away: nobody knows. The client's message has to wait.</exception>
    private async ValueTask<bool> IsOursAsync(CancellationToken cancellationToken)
    {
        if (await _runtime.Store.FindAsync(Id, cancellationToken).ConfigureAwait(false) is not { } record || record.Epoch <= Epoch)
            return Serves;
        Close();
        return false;
    }

    // A run in a later owner may come to a question only after its answer, so there any name of the call will do, within bounds.
    private bool MayBeAnswered(string name, OpenCall call) =>
        _questions.ContainsKey(name) || call.History is { } history && (history.WasAsked(name) || (call.StoredAnswers?.Count ?? 0) < MostEarlyAnswers);

    private bool Deliver(string name, JsonRpcMessageWithId answer)
    {
        // A question is answered once; whatever comes under its name later, or under a name that was never asked, is nobody's.
        if (!_questions.TryRemove(name, out var waiting))
            return false;
        answer.Id = waiting;
        answer.Context = null;
        return Transport.Feed(answer);
    }

    private async ValueTask<bool> BeginAsync(JsonRpcMessage initialized)
    {
        Task done;
        lock (Gate)
        {
            if (_closed)
                return false;
            if (_handshake.Contains(HandshakeKeys.Initialized))
                return true;
            _handshake.Set(HandshakeKeys.Initialized, RecordedHandshake.Initialized);
            Queue.Open().SetHandshake(HandshakeKeys.Initialized, RecordedHandshake.Initialized);
            done = Queue.Open().Done;
        }

        Queue.Flush();
        return await WrittenAsync(done).ConfigureAwait(false) && Transport.Feed(initialized);
    }

    /// <summary>Puts the client's name of a question into the server's notification that it is cancelled. Never changes the original.</summary>
    private JsonRpcNotification WithQuestionName(JsonRpcNotification notification)
    {
        if (notification.Method != NotificationMethods.CancelledNotification || notification.Params is not JsonObject parameters)
            return notification;
        var id = ClientRequestId(notification);
        var name = _questions.FirstOrDefault(q => q.Value == id).Key;
        if (name is null)
            return notification;
        var copy = (JsonObject)parameters.DeepClone();
        copy["requestId"] = name;
        _questions.TryRemove(name, out _);
        return new JsonRpcNotification { Method = notification.Method, Params = copy };
    }
}

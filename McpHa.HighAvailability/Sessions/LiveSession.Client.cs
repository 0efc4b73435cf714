using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using McpHa.HighAvailability.Journal;
using ModelContextProtocol.Protocol;

namespace McpHa.HighAvailability.Sessions;

/// <summary>What else a client sends: notifications, and answers to the server's questions.</summary>
internal sealed partial class LiveSession
{
    private const int MostEarlyAnswers = 64;

    // By the name that the client sees, the id that the SDK waits for.
    private readonly ConcurrentDictionary<string, RequestId> _questions = new(StringComparer.Ordinal);
    private long _unrelatedQuestions;

    /// <summary>Takes a notification or an answer; returns when it is safe to tell the client so. <see langword="false"/>: not served here.</summary>
    public async ValueTask<bool> AcceptAsync(JsonRpcMessage message, ReadOnlyMemory<byte> body)
    {
        Touch();
        if (!Serves)
            return false;
        switch (message)
        {
            case JsonRpcNotification { Method: NotificationMethods.CancelledNotification } cancelled:
                return await CancelAsync(cancelled).ConfigureAwait(false);
            case JsonRpcNotification { Method: NotificationMethods.InitializedNotification }:
                return await BeginAsync(message, body).ConfigureAwait(false);
            case JsonRpcNotification:
                return Transport.Feed(message);
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
        if (CallQuestions.StreamOf(name) is { } stream)
        {
            OpenCall? call;
            bool first;
            lock (Gate)
            {
                if (_closed)
                    return false;
                call = Calls.Find(stream);
                if (call is null)
                    return true;
                first = call.StoredAnswers?.ContainsKey(name) != true;
                if (first)
                {
                    if (!MayBeAnswered(name, call))
                        return true;
                    Queue.Open().SetCall(name, body);
                    call.AddStoredAnswer(name, body);
                }
            }

            if (!await WrittenAsync(Queue.DrainAsync()).ConfigureAwait(false))
                return false;
            if (!first)
                return true; // the first answer counts; whoever repeats it learns that it is written
            if (!_questions.ContainsKey(name) && call.History is { } history)
            {
                // The run that asks this has not come to it yet. It registers its question before it looks here.
                history.AddAnswer(name, answer);
                if (!_questions.ContainsKey(name) || history.TakeAnswer(name) is null)
                    return true;
            }
        }

        Deliver(name, answer);
        return true;
    }

    // A run in a later owner may come to a question only after its answer, so there any name of the call will do, within bounds.
    private bool MayBeAnswered(string name, OpenCall call) =>
        _questions.ContainsKey(name) || call.History is { } history && (history.WasAsked(name) || (call.StoredAnswers?.Count ?? 0) < MostEarlyAnswers);

    private void Deliver(string name, JsonRpcMessageWithId answer)
    {
        // A question is answered once; whatever comes under its name later, or under a name that was never asked, is nobody's.
        if (!_questions.TryRemove(name, out var waiting))
            return;
        answer.Id = waiting;
        answer.Context = null;
        Transport.Feed(answer);
    }

    private async ValueTask<bool> BeginAsync(JsonRpcMessage initialized, ReadOnlyMemory<byte> body)
    {
        Task done;
        lock (Gate)
        {
            if (_closed)
                return false;
            if (_handshake.ContainsKey(HandshakeKeys.Initialized))
                return true;
            Remember(HandshakeKeys.Initialized, body);
            Queue.Open().SetHandshake(HandshakeKeys.Initialized, body);
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

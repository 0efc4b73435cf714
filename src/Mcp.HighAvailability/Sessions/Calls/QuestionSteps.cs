using System.Text.Json.Nodes;
using Mcp.HighAvailability.Protocol;
using ModelContextProtocol.Protocol;

namespace Mcp.HighAvailability.Sessions;

/// <summary>Result of sending a server request.</summary>
/// <param name="Name">The name under which the client sees it.</param>
/// <param name="Known">The client's answer to an earlier run.</param>
/// <param name="Sent">An earlier run has sent it: the answer is still to come.</param>
internal readonly record struct Question(string Name, JsonRpcMessageWithId? Known = null, bool Sent = false);

/// <summary>Result of a client's answer to a server request.</summary>
internal enum QuestionAnswer
{
    /// <summary>This replica does not accept messages of the session.</summary>
    NotServed,

    /// <summary>The answer belongs to no server request of the session.</summary>
    Unknown,

    /// <summary>The answer is being written and is delivered afterwards.</summary>
    First,

    /// <summary>An answer came before. That one counts.</summary>
    Repeated,
}

/// <summary>Steps of server requests and of the client's answers to them. Each is sent once, however often its handler runs.</summary>
internal static class QuestionSteps
{
    // Answers that a call may get before this run of it has asked.
    private const int MaxEarlyAnswers = 64;

    /// <summary>Names a handler's request and registers it.</summary>
    public static Question Ask(SessionCore core, OpenCall call, string hash, RequestId id)
    {
        var name = call.Questions.Name(hash);
        if (!call.Ended)
            core.Questions[name] = id;
        return new(name, call.History?.TakeAnswer(name), call.History?.WasAsked(name) == true);
    }

    /// <summary>Names a server request outside calls and registers it. <see langword="null"/>: the client would not hear of it.</summary>
    public static string? AskUnrelated(SessionCore core, RequestId id)
    {
        if (!core.GetStreams.HasReader && !core.HasOneStream)
            return null;
        var name = SseEventId.NameStream('s', core.Record.Epoch, ++core.UnrelatedQuestions);
        core.Questions[name] = id;
        return name;
    }

    /// <summary>Takes a client's answer for the in-flight table: a run in a later owner finds it there instead of asking again.</summary>
    public static (QuestionAnswer Kind, OpenCall? Call, long Ticket) Store(SessionCore core, string name, string stream, ReadOnlyMemory<byte> body)
    {
        if (!core.IsActive)
            return (QuestionAnswer.NotServed, null, 0);
        if (core.Calls.Find(stream) is not { } call)
            return (QuestionAnswer.Unknown, null, 0);
        if (call.StoredAnswers?.ContainsKey(name) == true)
            return (QuestionAnswer.Repeated, call, core.Commits.Drain());

        // A run in a later owner may come to a question only after its answer, so there any name of the call will do, within bounds.
        var may = core.Questions.ContainsKey(name) ||
            call.History is { } history && (history.WasAsked(name) || (call.StoredAnswers?.Count ?? 0) < MaxEarlyAnswers);
        if (!may)
            return (QuestionAnswer.Unknown, null, 0);
        core.Commits.Open().SetCall(name, body);
        call.AddStoredAnswer(name, body);
        return (QuestionAnswer.First, call, core.Commits.Flush());
    }

    /// <summary>Keeps an answer for a run that has not come to its question yet. <see langword="false"/>: the question is open.</summary>
    public static bool Keep(SessionCore core, OpenCall? call, string name, JsonRpcMessageWithId answer)
    {
        if (call?.History is not { } history || core.Questions.ContainsKey(name))
            return false;
        history.AddAnswer(name, answer);
        return true;
    }

    /// <summary>Takes an open question out. A question is answered once.</summary>
    public static RequestId? Take(SessionCore core, string name) => core.Questions.Remove(name, out var id) ? id : null;

    /// <summary>Puts the client's name of a question into the server's notification that it is cancelled. Never changes the original.</summary>
    public static JsonRpcNotification WithQuestionName(SessionCore core, JsonRpcNotification notification)
    {
        if (notification.Method != NotificationMethods.CancelledNotification || notification.Params is not JsonObject parameters)
            return notification;
        var id = JsonRpc.CancelledId(notification);
        if (core.Questions.FirstOrDefault(question => question.Value == id).Key is not { } name)
            return notification;
        core.Questions.Remove(name);
        var copy = (JsonObject)parameters.DeepClone();
        copy["requestId"] = name;
        return new JsonRpcNotification { Method = notification.Method, Params = copy };
    }
}

using System.Globalization;
using System.Text.Json.Nodes;
using Mcp.HighAvailability.Lab.Chaos.History;

namespace Mcp.HighAvailability.Lab.Chaos.Report;

/// <summary>An event of the history as one line.</summary>
internal static class EventText
{
    private const int Longest = 300;

    public static string Of(HistoryEvent happened)
    {
        var who = happened is SessionEvent { Session: var session } ? $" {session}" : "";
        var line = string.Create(CultureInfo.InvariantCulture, $"{happened.At.TotalSeconds,9:0.000}{who} {What(happened)}");
        return line.Length > Longest ? line[..Longest] + "…" : line;
    }

    private static string What(HistoryEvent happened) => happened switch
    {
        SessionOpened e => $"session opened by {e.Client}, {e.Revision}",
        SessionLost e => $"session lost: {e.Reason}",
        HttpTrouble e => $"{e.Method} {(e.Status is null ? "without an answer" : $"answered {e.Status}")}{(e.Repeated ? ", sent again" : "")}: {e.Reason}",
        CallBegun e => $"call {e.Call} begins: {e.Tool} {Json(e.Arguments)}",
        CallCancelled e => $"call {e.Call} is given up",
        ProgressReceived e => $"call {e.Call}: progress {Number(e.Progress)}{(e.Total is { } total ? $" of {Number(total)}" : "")}",
        AnswerReceived e => e.Call is null ? "a response that belongs to no call" : $"call {e.Call}: its response",
        CallEnded e => $"call {e.Call} ends: {e.Outcome}",
        QuestionReceived e => $"question {e.RequestId} ({e.Method}): {e.Question}",
        AnswerGiven e => $"question {e.RequestId} is answered: {e.Answer}",
        StreamReceived e => $"{e.Method}: {e.Text}",
        FinalReading e => $"in the end: counter {e.Counter}, {e.Notes.Count} notes: {string.Join(", ", e.Notes)}",
        SharedReading e => $"{e.Handle} in the end: counter {e.Counter}, {e.Notes.Count} notes: {string.Join(", ", e.Notes)}",
        TaskAsked e => $"task {e.Task} is called for: {e.Tool}",
        TaskCreated e => $"task {e.Task} is {e.Id}",
        TaskRefused e => $"task {e.Task} is refused: {e.Code} {e.Reason}",
        TaskSeen e => $"task {e.Task} {(e.Heard ? "heard" : "polled")}: {e.Json}",
        TaskTrouble e => $"task {e.Task}: {e.Method} is answered with {e.Code}, {e.Reason}",
        TaskAnswered e => $"task {e.Task}: question {e.Key} is answered",
        TaskCancelling e => $"task {e.Task} is cancelled",
        TaskGivenUp e => $"task {e.Task}: its client gives up waiting for {e.For}",
        FaultBegan e => $"FAULT {e.Number}: {e.Target}",
        FaultEnded e => $"FAULT {e.Number} is over, the cluster is whole again",
        _ => happened.ToString(),
    };

    private static string Number(double value) => value.ToString("0.###", CultureInfo.InvariantCulture);

    private static string Json(JsonObject arguments) => arguments.ToJsonString();
}

using System.Text.Json.Nodes;
using Mcp.HighAvailability.Protocol;
using ModelContextProtocol.Protocol;

namespace Mcp.HighAvailability.Sessions;

/// <summary>
/// What an earlier run of a call has sent to the client and heard from it, so that the next run does not repeat itself. Plain data, part of
/// <see cref="OpenCall"/>.
/// </summary>
internal sealed class CallHistory
{
    private readonly Dictionary<ContentHash, int> _notifications = [];
    private readonly HashSet<string> _asked = new(StringComparer.Ordinal);
    private readonly Dictionary<string, JsonRpcMessageWithId> _answers = new(StringComparer.Ordinal);
    private double _progress = double.NegativeInfinity;

    /// <summary>Takes up a message that was journaled on the call's stream. Returns whether it is a question.</summary>
    public bool AddSent(ReadOnlyMemory<byte> payload)
    {
        switch (JsonRpc.Parse(payload.Span))
        {
            case JsonRpcRequest question:
                _asked.Add(question.Id.ToString());
                return true;
            case JsonRpcNotification { Method: NotificationMethods.ProgressNotification } progress:
                _progress = Math.Max(_progress, Progress(progress) ?? double.NegativeInfinity);
                break;
            case JsonRpcNotification:
                var key = ContentHash.Of(payload.Span);
                _notifications[key] = _notifications.GetValueOrDefault(key) + 1;
                break;
        }

        return false;
    }

    /// <summary>Takes up an answer of the client.</summary>
    public void AddAnswer(string questionId, JsonRpcMessageWithId answer)
    {
        _answers[questionId] = answer;
    }

    /// <summary>The client's answer to a question that an earlier run has asked, if it has come.</summary>
    public JsonRpcMessageWithId? TakeAnswer(string questionId) => _answers.Remove(questionId, out var answer) ? answer : null;

    /// <summary>Whether an earlier run has put this question to the client.</summary>
    public bool WasAsked(string questionId) => _asked.Contains(questionId);

    /// <summary>Whether the client has this notification already: progress that does not advance, or the very same message.</summary>
    public bool WasSent(JsonRpcNotification notification, ReadOnlySpan<byte> payload)
    {
        if (notification.Method == NotificationMethods.ProgressNotification)
            return Progress(notification) is { } progress && progress <= _progress;
        var key = ContentHash.Of(payload);
        if (_notifications.GetValueOrDefault(key) is not (> 0 and var left))
            return false;
        _notifications[key] = left - 1;
        return true;
    }

    private static double? Progress(JsonRpcNotification notification) =>
        notification.Params is JsonObject o && o["progress"] is JsonValue value && value.TryGetValue(out double progress) ? progress : null;
}

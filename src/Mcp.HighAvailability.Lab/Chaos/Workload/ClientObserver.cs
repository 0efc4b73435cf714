using System.Collections.Concurrent;
using System.Globalization;
using System.Text.Json.Nodes;
using Mcp.HighAvailability.Broadcast;
using Mcp.HighAvailability.Lab.Chaos.History;

namespace Mcp.HighAvailability.Lab.Chaos.Workload;

/// <summary>
/// Writes what one client sends and receives into the history. It looks at the JSON-RPC messages between the SDK and its transport, in
/// the order in which they arrive: the SDK's own handlers may run side by side, and the SDK drops silently what it cannot place.
/// </summary>
internal sealed class ClientObserver(HistoryLog history)
{
    /// <summary>Name in <c>_meta</c> of the number of a call.</summary>
    public const string CallKey = "lab/call";

    private readonly ConcurrentDictionary<string, long> _calls = new();
    private readonly ConcurrentDictionary<string, bool> _questions = new();

    /// <summary>The client's session, as soon as it is known.</summary>
    public string Session { get; set; } = "";

    /// <summary>The announcement that was heard last.</summary>
    public string LastAnnouncement { get; private set; } = "";

    /// <summary>Whether an update of the subscribed resource was heard since the last announcement, or since it was set back.</summary>
    public bool HasHeardUpdate { get; set; }

    /// <summary>The JSON-RPC id of a call, as JSON; <see langword="null"/> if it was not sent.</summary>
    public string? IdOf(long call) => _calls.FirstOrDefault(sent => sent.Value == call).Key;

    /// <summary>A message on its way to the server.</summary>
    public void Sent(JsonObject message)
    {
        var id = message["id"]?.ToJsonString();
        if (id is null)
            return;
        if (message.ContainsKey("method"))
        {
            if (message["params"]?["_meta"]?[CallKey] is { } call)
                _calls[id] = (long)call;
        }
        else if (_questions.ContainsKey(id))
        {
            var answer = (message["result"] ?? message["error"])?.ToJsonString() ?? "";
            history.Add(at => new AnswerGiven(at, Session, id, answer));
        }
    }

    /// <summary>A message that has arrived.</summary>
    public void Received(JsonObject message)
    {
        var id = message["id"]?.ToJsonString();
        switch ((string?)message["method"])
        {
            case null when id is not null:
                // Requests of the SDK itself (initialize) carry no number.
                if (_calls.TryGetValue(id, out var answered))
                    history.Add(at => new AnswerReceived(at, Session, answered));
                else if (Session.Length > 0)
                    history.Add(at => new AnswerReceived(at, Session, null));
                break;
            case "notifications/progress" when CallOf(message["params"]?["progressToken"]) is { } call:
                var (progress, total) = ((double?)message["params"]!["progress"] ?? double.NaN, (double?)message["params"]!["total"]);
                history.Add(at => new ProgressReceived(at, Session, call, progress, total));
                break;
            case "notifications/message" when Text(message["params"]?["data"]) == BroadcastGap.Text:
                break; // the client knows that announcements may be missing
            case "notifications/message":
                var text = Text(message["params"]?["data"]);
                history.Add(at => new StreamReceived(at, Session, "notifications/message", text));
                HasHeardUpdate = false;
                LastAnnouncement = text;
                break;
            case "notifications/resources/updated":
                history.Add(at => new StreamReceived(at, Session, "notifications/resources/updated", Text(message["params"]?["uri"])));
                HasHeardUpdate = true;
                break;
            case { } method when id is not null:
                _questions[id] = true;
                history.Add(at => new QuestionReceived(at, Session, method, id, Question.Of(method, message["params"])));
                break;
        }
    }

    // Tokens are "c" and the number of the call (C#), or the id of its request (TypeScript).
    private long? CallOf(JsonNode? token) => token switch
    {
        null => null,
        JsonValue value when value.TryGetValue(out string? text) && text.StartsWith('c')
            && long.TryParse(text.AsSpan(1), CultureInfo.InvariantCulture, out var call) => call,
        _ => _calls.TryGetValue(token.ToJsonString(), out var call) ? call : -1,
    };

    private static string Text(JsonNode? node) => node is JsonValue value && value.TryGetValue(out string? text) ? text : node?.ToJsonString() ?? "";
}

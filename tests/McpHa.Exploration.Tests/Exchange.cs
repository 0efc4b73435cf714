using System.Text.Json.Nodes;

namespace McpHa.Tests;

/// <summary>One exchange of the client, carried on as a balancer does it: from replica to replica, behind the last event, until it is answered.</summary>
internal sealed class Exchange(World world, string name, string id, string method, string body)
{
    private int _parsed;
    private int _attempts;
    private string _stream = "";
    private long _position;

    public string Name => name;

    public bool IsGet => method == "GET";

    /// <summary>Nothing more is to be done for it.</summary>
    public bool Done { get; private set; }

    /// <summary>The answer, if it is one.</summary>
    public JsonNode? Answer { get; private set; }

    public List<JsonNode> Messages { get; } = [];

    /// <summary>The replica to try next, if an answer named one.</summary>
    public string? Owner { get; private set; }

    public ExploredReplica? At { get; private set; }

    public Wire? Wire { get; private set; }

    private string Cursor { get; set; } = "";

    /// <summary>Sends it, or sends it again, or resumes it.</summary>
    public void Send(ExploredReplica replica)
    {
        var resume = Cursor.Length > 0;
        List<KeyValuePair<string, string>> headers = [new("Mcp-Ha-Relay", "1"), new("Mcp-Ha-Hop", replica.Id)];
        if (world.SessionId is { } session)
            headers.AddRange([new("Mcp-Session-Id", session), new("MCP-Protocol-Version", "2025-11-25")]);
        if (resume)
            headers.Add(new("Last-Event-ID", Cursor));
        else if (!IsGet)
            headers.Add(new("Mcp-Ha-Exchange", world.Without == "DuplicateRecognition" ? $"{id}-{++_attempts}" : id));
        (At, _parsed) = (replica, 0);
        Wire = new Wire(resume ? "GET" : method, body, headers);
        Wire.Send(replica.Endpoint);
    }

    public void Break(bool noticed)
    {
        if (Wire is { } wire && !noticed)
            world.HalfOpen.Add(wire);
        Wire?.Cut(noticed);
        Look();
        NoteNameless();
    }

    /// <summary>The client wants no more of it.</summary>
    public void GiveUp()
    {
        Wire?.Cut(noticed: true);
        (Done, Wire) = (true, null);
    }

    /// <summary>Takes in what has come. Call when nothing moves.</summary>
    public void Look()
    {
        if (Wire is not { } wire)
            return;
        // First whether it is over, then what has come: whatever else is still writing, what was written before the end is seen then.
        var (broken, complete) = (wire.Broken, wire.Complete);
        if (wire.Failure is { } failure)
            world.Violated($"{name}: {At!.Id} threw {failure}");
        if (wire.IsStream)
            Parse(wire.Text);
        if (wire is { IsStream: true, HasStarted: true } && Cursor.Length == 0 && wire.Headers.TryGetValue("Mcp-Ha-Cursor", out var cursor))
            SetCursor(cursor.ToString());
        if (broken)
        {
            Wire = null;
            NoteNameless();
        }
        else if (complete)
            End(wire);
    }

    private void End(Wire wire)
    {
        Wire = null;
        if (wire.Headers.TryGetValue("Mcp-Session-Id", out var session))
            world.SessionId = session;
        Owner = wire.Headers.TryGetValue("Mcp-Ha-Owner", out var owner) ? owner.ToString() : null;
        switch (wire.StatusCode)
        {
            case 421 or 503:
                break; // elsewhere, or later
            case 200 when wire.IsStream:
                if (Answer is not null)
                    Done = true;
                else if (!IsGet)
                    world.Broken($"{name}: its stream ended without an answer.");
                break;
            case 200 when method == "POST":
                Answered(JsonNode.Parse(wire.Text)!);
                if (Answer!["error"] is null && world.SessionId is not null && name != "initialize" && !world.MayGet(name, Answer, wire.Text))
                    world.Broken($"{name}: the client has an answer that the journal has not: {wire.Text}");
                Done = true;
                break;
            case 202 when method == "POST":
            case 204 when Answer is not null: // it was cut off behind the answer
                Done = true;
                break;
            case 400 or 404 when world.Loss.MayLack(At!):
                Done = true;
                break;
            default:
                world.Broken($"{name}: {wire.StatusCode} from {At!.Id}: {wire.Text} {world.Incarnations()}");
                Done = true;
                break;
        }
    }

    private void Parse(string text)
    {
        for (int end; (end = text.IndexOf("\n\n", _parsed, StringComparison.Ordinal)) >= 0; _parsed = end + 2)
        {
            string id = "", data = "";
            foreach (var line in text[_parsed..end].Split('\n'))
            {
                if (line.StartsWith("id: ", StringComparison.Ordinal))
                    id = line[4..];
                if (line.StartsWith("data: ", StringComparison.Ordinal))
                    data = line[6..];
            }

            if (data.Length > 0)
                Take(id, data);
            if (id.Length > 0)
                SetCursor(id);
        }
    }

    private void NoteNameless()
    {
        if (IsGet && Cursor.Length == 0)
            world.LostNameless();
    }

    private void Take(string id, string data)
    {
        var (stream, position, broadcast) = Split(id);
        if (IsGet && JsonNode.Parse(data) is { } news && (string?)news["method"] == "notifications/message")
        {
            if (_stream.Length > 0 && stream != _stream || position < _position)
                world.Broken($"{name}: broadcast {id} came on {_stream} after position {_position}.");
            world.HeardBroadcast(broadcast, news);
            return;
        }

        var message = JsonNode.Parse(data)!;
        var answers = message["id"] is not null && message["method"] is null;
        if (!world.Ledger.Holds(stream, position, data) && !(answers && UnwrittenAnswers.Lack(world.Without)))
            world.Broken($"{name}: {At!.Id} sent event {id} that the journal has not: {data}");
        if (_stream.Length > 0 && stream != _stream)
            world.Broken($"{name}: event {id} is of another stream than {_stream}.");
        if (position <= _position)
            world.Broken($"{name}: event {id} came after position {_position}.");
        Messages.Add(message);
        if (answers)
            Answered(message);
        else
            world.Heard(this, message);
    }

    private void Answered(JsonNode message)
    {
        if (Answer is not null)
            world.Broken($"{name} was answered twice.");
        Answer = message;
    }

    private void SetCursor(string id)
    {
        Cursor = id;
        var (stream, position, _) = Split(id);
        (_stream, _position) = (stream, Math.Max(_position, position));
    }

    private static (string Stream, long Position, string Broadcast) Split(string id) =>
        id.Split('-') is [var stream, var position, .. var rest] ? (stream, long.Parse(position), rest.FirstOrDefault("")) : throw new FormatException(id);
}

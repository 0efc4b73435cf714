using System.Text;

namespace McpHa.Tests.Fuzz;

/// <summary>Cases that are worth keeping word by word: known attacks, and the edges of the formats.</summary>
internal static class Corpus
{
    private static readonly string[] Bodies =
    [
        "", " ", "null", "true", "1", "\"x\"", "[]", "[[]]", "{}", "{", "}", "{}{}", "{\"jsonrpc\":\"2.0\"}", "{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"ping\"}", "\uFEFF{}", "\0",
        """{"jsonrpc":"2.0","id":null,"method":"ping"}""", """{"jsonrpc":"2.0","id":{},"method":"ping"}""", """{"jsonrpc":"2.0","id":[1],"method":"ping"}""",
        """{"jsonrpc":"2.0","id":true,"method":"ping"}""", """{"jsonrpc":"2.0","id":1.5,"method":"ping"}""", """{"jsonrpc":"2.0","id":-9223372036854775808,"method":"ping"}""",
        """{"jsonrpc":"2.0","id":1e999,"method":"ping"}""", """{"jsonrpc":"2.0","id":"","method":"ping"}""", """{"jsonrpc":"2.0","id":"a","method":null}""",
        """{"jsonrpc":"2.0","id":"b","method":7}""", """{"jsonrpc":"2.0","id":"c","method":"ping","params":7}""", """{"jsonrpc":"2.0","id":"d","method":"tools/call","params":[]}""",
        """{"jsonrpc":"2.0","id":"e","method":"tools/call","params":{"name":"echo","arguments":{"text":"\ud800"}}}""", """{"jsonrpc":"2.0","id":"f","result":{},"error":{}}""",
        """{"jsonrpc":"2.0","id":"g","result":{},"method":"ping"}""", """{"jsonrpc":"2.0","id":"handshake","method":"ping"}""", """{"jsonrpc":"2.0","id":"c1x1","method":"ping"}""",
        """{"jsonrpc":"2.0","id":"h","method":"resources/read","params":{"uri":"file:///etc/passwd"}}""", """{"jsonrpc":"2.0","id":"i","method":"resources/subscribe","params":{"uri":{"a":1}}}""",
        """{"jsonrpc":"2.0","id":"j","method":"logging/setLevel","params":{"level":"nonsense"}}""", """{"jsonrpc":"2.0","id":"k","method":"initialize","params":{}}""",
        """{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":{}}}""", """{"jsonrpc":"2.0","method":"notifications/cancelled"}""",
        """{"jsonrpc":"2.0","id":"l","method":"tools/call","params":{"name":"echo","arguments":{"text":"x"},"_meta":{"progressToken":{}}}}""",
        """{"jsonrpc":"2.0","id":"m","method":"tools/call","params":{"name":"echo","arguments":{"text":"x"},"_meta":[]}}""",
        """{"jsonrpc":"2.0","id":"n","method":"tools/call","params":{"name":"echo","name":"deliver","arguments":{"text":"x"}}}""",
        """{"jsonrpc":"2.0","id":"o","method":"tools/call","params":{"name":"echo","Name":"deliver","arguments":{"text":"x"}}}""",
        """{"jsonrpc":"2.0","id":"p","method":"tools/call","params":{"name":"echo","arguments":{"text":"x"},"_meta":{"traceparent":"a","traceparent":"b"}}}""",
        """{"jsonrpc":"2.0","id":"q","method":"tools/call","params":{"name":"echo","\udc00":1}}""",
        """{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"a","requestId":"b"}}""",
    ];

    /// <summary>All of them, with and without a session; and a request that is cut at every byte.</summary>
    public static IEnumerable<FuzzCase> All(FuzzTarget target)
    {
        var session = Wire.Session(target.Sessions[0]);
        foreach (var body in Bodies)
        {
            yield return new("corpus", Wire.Post(body, session));
            yield return new("corpus without session", Wire.Post(body));
            yield return new("corpus batch", Wire.Post($"[{body}]", session));
            yield return new("corpus HTTP+SSE", Wire.PostTo(target.Address, body));
            yield return new("corpus stateless", Wire.Post(body, "MCP-Protocol-Version: 2026-07-28", "Mcp-Method: ping"));
        }

        foreach (var eventId in target.ForeignEventIds)
            yield return new("corpus foreign event", Wire.Request("GET", ["Accept: text/event-stream", session, "Last-Event-ID: " + eventId]));
        foreach (var address in (string[])["/mcp/message", "/mcp/message?", "/mcp/message?sessionId", "/mcp/message?sessionId=", "/mcp/message?sessionId=%00", "/mcp/message?sessionId=a&sessionId=b", $"/mcp/message?sessionId={target.Sessions[0]}", $"/mcp/message?sessionid={target.Sessions[0]}", $"//message?sessionId={target.Sessions[0]}"])
            yield return new("corpus odd address", Wire.PostTo(address, Wire.Call("\"odd\"")));
        foreach (var header in (string[])["Accept: text/html", "Accept: text/event-stream\r\nLast-Event-ID: g1x1-0", $"Accept: text/event-stream\r\nLast-Event-ID: g1x1-0\r\n{session}", $"Accept: text/event-stream\r\nLast-Event-ID: c1x1-0\r\n{session}", $"Accept: text/event-stream\r\nLast-Event-ID: \0\r\n{session}"])
            yield return new("corpus odd stream", Wire.Request("GET", [header], path: "/mcp/sse"));
        // What a balancer has for people; at a replica there is nothing.
        foreach (var (type, body) in ((string, string)[])
        [
            ("application/x-www-form-urlencoded", "id=x"), ("application/x-www-form-urlencoded", "id=%ff%00"), ("application/x-www-form-urlencoded", $"id={target.Sessions[0]}"), ("multipart/form-data", "id=x"),
            ("multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=\"id\"\r\n\r\nx"), ("multipart/form-data; boundary=" + new string('b', 200), "--b--"), ("text/plain", "id=x"), ("", ""),
        ])
        {
            foreach (var path in (string[])["/status/session", "/operations/replicas/x/drain", "/operations/replicas/%00/resume", "/operations/replicas//drain"])
                yield return new("corpus page", Wire.Request("POST", ["Content-Type: " + type, $"Content-Length: {body.Length}", "Authorization: Bearer x"], Encoding.ASCII.GetBytes(body), path));
        }

        foreach (var path in (string[])["/", "/status.json", "/status/events", "/metrics", "/status/session", "/?format=json&format=x", "/status/../mcp"])
            yield return new("corpus page", Wire.Request("GET", [$"Accept: {(path == "/status/events" ? "text/event-stream" : "text/html")}"], path: path));
        var whole = Wire.Post(Wire.Call("\"cut\""), session);
        for (var length = 0; length < whole.Length; length++)
            yield return new("cut at every byte", whole[..length], Complete: false);
    }
}

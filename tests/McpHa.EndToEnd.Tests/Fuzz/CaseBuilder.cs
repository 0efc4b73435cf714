using System.Text;

namespace McpHa.Tests.Fuzz;

/// <summary>Builds one case of a kind, at random.</summary>
internal sealed class CaseBuilder(FuzzTarget target, Random random)
{
    private static readonly string[] Values =
    [
        "null", "true", "0", "-1", "1.5", "1e400", "-0", "99999999999999999999999999", "9007199254740993", "\"\"", "\"x\"", "\"\\u0000\"", "\"\\ud800\"", "[]", "{}", "[[]]",
        "{\"a\":null}", "{\"a\":1,\"a\":2}", "[1,\"2\",null]",
    ];

    private static readonly string[] Methods =
    [
        "initialize", "ping", "tools/list", "tools/call", "prompts/list", "prompts/get", "resources/list", "resources/read", "resources/subscribe", "resources/unsubscribe",
        "logging/setLevel", "completion/complete", "notifications/initialized", "notifications/cancelled", "notifications/progress", "server/discover", "subscriptions/listen",
        "sampling/createMessage", "elicitation/create", "roots/list", "", " ", "no/such", "__proto__",
    ];

    private static readonly string[] Fields = ["jsonrpc", "id", "method", "params", "result", "error"];

    private static readonly string[] HeaderNames =
    [
        "Mcp-Session-Id", "MCP-Protocol-Version", "Last-Event-ID", "Accept", "Content-Type", "Origin", "Host", "Authorization", "Mcp-Method", "Mcp-Name", "traceparent", "Expect",
        "Mcp-Ha-Relay", "Mcp-Ha-Hop", "Mcp-Ha-Owner", "Mcp-Ha-Cursor", "Mcp-Ha-Transient", "Mcp-Ha-Probe", "Connection", "Transfer-Encoding", "X-Forwarded-For",
    ];

    private IReadOnlyList<Func<FuzzCase>> Kinds =>
    [
        BrokenJson, Nesting, HugeNumber, HugeString, WrongField, OddId, DuplicateKeys, InvalidUtf8, Injection, GiantHeader, OddHeader, Split, Pipelined, LyingChunks, LyingLength,
        ForgedSession, ForeignEvent, WrongState, CutOff, RandomBytes, OddLine, Stateless, Batch,
    ];

    public FuzzCase Build(int kind) => Kinds[kind % Kinds.Count]();

    private FuzzCase BrokenJson()
    {
        var bytes = Encoding.UTF8.GetBytes(Wire.Call(Id()));
        for (var changes = random.Next(1, 5); changes > 0; changes--)
            bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
        return new("broken JSON", Wire.Post(random.Next(2) == 0 ? bytes : bytes[..random.Next(bytes.Length)], MaybeSession()));
    }

    private FuzzCase Nesting()
    {
        var depth = random.Next(1, 5000);
        var (open, close) = random.Next(2) == 0 ? ("[", "]") : ("{\"a\":", "}");
        var deep = string.Concat(Enumerable.Repeat(open, depth)) + (random.Next(4) == 0 ? "" : "1" + string.Concat(Enumerable.Repeat(close, depth)));
        return new("deep nesting", Wire.Post(random.Next(2) == 0 ? deep : Wire.Call(Id(), arguments: deep), MaybeSession()));
    }

    private FuzzCase HugeNumber()
    {
        var number = (random.Next(2) == 0 ? "-" : "") + new string('9', random.Next(1, 3000)) + (random.Next(2) == 0 ? "e" + new string('9', random.Next(1, 50)) : "");
        return new("huge number", Wire.Post(random.Next(2) == 0 ? Wire.Call(number) : Wire.Call(Id(), "countdown", $$$"""{"seconds":{{{number}}},"intervalMs":{{{number}}}}"""), MaybeSession()));
    }

    private FuzzCase HugeString()
    {
        var text = new string((char)random.Next('a', 'z'), random.Next(1, random.Next(20) == 0 ? 200_000 : 5_000));
        return new("huge string", Wire.Post(random.Next(3) switch
        {
            0 => Wire.Call($"\"{text}\""),
            1 => Wire.Call(Id(), text),
            _ => Wire.Call(Id(), arguments: $$"""{"text":"{{text}}","{{text}}":1}"""),
        }, MaybeSession()));
    }

    private FuzzCase WrongField()
    {
        Dictionary<string, string> fields = new() { ["jsonrpc"] = "\"2.0\"", ["id"] = Id(), ["method"] = $"\"{Pick(Methods)}\"", ["params"] = Parameters() };
        for (var changes = random.Next(1, 4); changes > 0; changes--)
        {
            var field = Pick(Fields);
            if (random.Next(3) == 0)
                fields.Remove(field);
            else
                fields[field] = Pick(Values);
        }

        return new("wrong field", Wire.Post($"{{{string.Join(',', fields.OrderBy(_ => random.Next()).Select(f => $"\"{f.Key}\":{f.Value}"))}}}", MaybeSession()));
    }

    private FuzzCase OddId() => new("odd id", Wire.Post(Wire.Call(Pick(Values), Pick(["echo", "where_am_i", "no-such"])), MaybeSession()));

    private FuzzCase DuplicateKeys() => new("duplicate keys", Wire.Post(
        random.Next(2) == 0
            ? $$$"""{"jsonrpc":"2.0","jsonrpc":{{{Pick(Values)}}},"id":{{{Id()}}},"id":{{{Pick(Values)}}},"method":"ping","method":"{{{Pick(Methods)}}}","params":{},"params":{{{Parameters()}}}}"""
            : WithDuplicates(),
        MaybeSession()));

    // Further down, where a first look finds them.
    private string WithDuplicates()
    {
        var parameters = Parameters();
        var (place, member) = Pick([("{", "name"), ("{", "uri"), ("{", "NAME"), ("{", "_meta"), ("{", "requestId"), ("\"_meta\":{", "progressToken"), ("\"_meta\":{", "traceparent")]);
        var twice = $"\"{member}\":{Pick(Values)},\"{member}\":{Pick(Values)},";
        var at = parameters.IndexOf(place, StringComparison.Ordinal);
        parameters = at < 0 ? $"{{{twice}\"x\":1}}" : parameters.Insert(at + place.Length, twice);
        var id = random.Next(4) == 0 ? "" : $"\"id\":{Id()},";
        return $$$"""{"jsonrpc":"2.0",{{{id}}}"method":"{{{Pick(Methods.Where(m => m is not "subscriptions/listen"))}}}","params":{{{parameters}}}}""";
    }

    // Of all kinds of messages, right and wrong.
    private FuzzCase Batch()
    {
        var messages = Enumerable.Range(0, random.Next(1, random.Next(10) == 0 ? 80 : 6)).Select(_ => random.Next(6) switch
        {
            0 => Wire.Call(Id()),
            1 => Wire.Call(Pick(Values), arguments: Pick(Values)),
            2 => WithDuplicates(),
            3 => $$$"""{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":{{{Pick(Values)}}}}}""",
            4 => $$"""{"jsonrpc":"2.0","id":{{Pick(Values)}},"result":{{Pick(Values)}}}""",
            _ => Pick(Values),
        });
        return new("batch", Wire.Post($"[{string.Join(',', messages)}{Pick(["]", "]", "]", "", ",]", "]]"])}", MaybeSession()));
    }

    private FuzzCase InvalidUtf8()
    {
        var bytes = Encoding.UTF8.GetBytes(Wire.Call(Id(), arguments: "{\"text\":\"########\"}"));
        random.NextBytes(bytes.AsSpan(Array.IndexOf(bytes, (byte)'#'), 8));
        return new("invalid UTF-8", Wire.Post(bytes, MaybeSession()));
    }

    private FuzzCase Injection()
    {
        var value = Pick(["x\r\nMcp-Ha-Relay: 1", "x\nX-Injected: 1", "x\r\n\r\nGET /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", "x\0y", "x\ry", "\u007f", "é\u0080"]);
        var name = Pick(HeaderNames);
        return new("header injection", Wire.Post(Wire.Call(Id()), $"{name}: {value}"), Complete: false);
    }

    private FuzzCase GiantHeader() => new(
        "giant header",
        random.Next(3) switch
        {
            0 => Wire.Post(Wire.Call(Id()), $"{Pick(HeaderNames)}: {new string('a', random.Next(1, 60_000))}"),
            1 => Wire.Post(Wire.Call(Id()), [.. Enumerable.Range(0, random.Next(1, 300)).Select(n => $"X-{n}: {n}")]),
            _ => Wire.Post(Wire.Call(Id()), $"{new string('N', random.Next(1, 60_000))}: x"),
        },
        Complete: false);

    private FuzzCase OddHeader() => new("odd header", Wire.Post(Wire.Call(Id()), MaybeSession(), $"{Pick(HeaderNames)}: {Pick(["", " ", "1", "replica", "x, y", "*/*", "2026-07-28", "1999-01-01", "c1x1-1", "text/plain", "chunked", "100-continue", "close", "http://127.0.0.1", "null"])}"), Complete: false);

    private FuzzCase Split() => new("split request", Wire.Post(Wire.Call(Id()), Wire.Session(Session())), Piece: random.Next(1, 40));

    private FuzzCase Pipelined()
    {
        var count = random.Next(2, 5);
        return new("pipelined requests", [.. Enumerable.Range(0, count).SelectMany(n => Wire.Post(n % 2 == 0 ? Wire.Call(Id()) : "{", Wire.Session(Session())))], Responses: count);
    }

    private FuzzCase LyingChunks()
    {
        var body = Wire.Call(Id());
        var chunks = random.Next(6) switch
        {
            0 => $"{body.Length + 10:x}\r\n{body}\r\n0\r\n\r\n",
            1 => $"{body.Length / 2:x}\r\n{body}\r\n0\r\n\r\n",
            2 => $"zz\r\n{body}\r\n0\r\n\r\n",
            3 => $"-1\r\n{body}\r\n0\r\n\r\n",
            4 => $"ffffffffffffffff\r\n{body}",
            _ => $"{body.Length:x};x={new string('y', 500)}\r\n{body}\r\n",
        };
        return new("lying chunks", Wire.Request("POST", [Wire.Accept, Wire.Json, "Transfer-Encoding: chunked", .. random.Next(2) == 0 ? new[] { "Content-Length: 3" } : []], Encoding.ASCII.GetBytes(chunks)), Complete: false);
    }

    private FuzzCase LyingLength()
    {
        var body = Encoding.UTF8.GetBytes(Wire.Call(Id()));
        var length = Pick(["-1", "0", "1", "99999999999999999999", "5242880", "2147483648", "abc", "", $"{body.Length + 5}", $"{body.Length}, {body.Length}"]);
        return new("lying length", Wire.Request("POST", [Wire.Accept, Wire.Json, "Content-Length: " + length], body), Complete: false);
    }

    private FuzzCase ForgedSession()
    {
        var real = Session();
        var forged = random.Next(6) switch
        {
            0 => real[..^1] + (char)random.Next('!', '~'),
            1 => new string('0', random.Next(1, 200)),
            2 => Guid.NewGuid().ToString("N"),
            3 => real + real,
            4 => real.ToUpperInvariant(),
            _ => string.Concat(real.Take(random.Next(1, real.Length))) + random.Next(),
        };
        return new("forged session", Any(Wire.Session(forged)));
    }

    private FuzzCase ForeignEvent()
    {
        var id = random.Next(4) switch
        {
            0 => $"c{random.Next(100)}x{random.Next(100)}-{random.Next()}",
            1 => Pick(["", "-", "c1x1", "g99999999999999999999x1-1", "w-1", "c1x1--1", "c0x0-0", "é"]),
            _ => Pick(target.ForeignEventIds),
        };
        return new("foreign event id", Wire.Request("GET", ["Accept: text/event-stream", Wire.Session(Session()), "Last-Event-ID: " + id]));
    }

    private FuzzCase WrongState()
    {
        var body = $$$"""{"jsonrpc":"2.0","id":{{{Id()}}},"method":"{{{Pick(Methods.Where(m => m is not "subscriptions/listen"))}}}","params":{{{Parameters()}}}}""";
        return new("wrong state", random.Next(4) switch
        {
            0 => Wire.Post(body),
            1 => Wire.Post($$$"""{"jsonrpc":"2.0","id":{{{Pick(Values)}}},"result":{{{Pick(Values)}}}}""", Wire.Session(Session())),
            2 => Wire.Post($$$"""{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":{{{Pick(Values)}}}}}""", Wire.Session(Session())),
            _ => Wire.Post(body, Wire.Session(Session())),
        });
    }

    private FuzzCase CutOff()
    {
        var whole = Any(Wire.Session(Session()));
        return new("cut off", whole[..random.Next(whole.Length)], Complete: false);
    }

    private FuzzCase RandomBytes()
    {
        var bytes = new byte[random.Next(1, 300)];
        random.NextBytes(bytes);
        return new("random bytes", bytes, Complete: false);
    }

    private FuzzCase OddLine() => new(
        "odd request line",
        Encoding.Latin1.GetBytes(Pick(
        [
            "GET  /mcp HTTP/1.1", "PATCH /mcp HTTP/1.1", "POST /mcp HTTP/9.9", "POST http://evil.example.com/mcp HTTP/1.1", "POST //mcp HTTP/1.1", "POST /mcp/../../mcp HTTP/1.1",
            "POST /%00 HTTP/1.1", "OPTIONS * HTTP/1.1", "CONNECT evil:80 HTTP/1.1", "TRACE /mcp HTTP/1.1", "POST /mcp?" + new string('q', 9000) + " HTTP/1.1", "GET /mcp", "PRI * HTTP/2.0", "HEAD /mcp HTTP/1.1",
        ]) + "\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n\r\n"),
        Complete: false);

    private FuzzCase Stateless() => new("stateless revision", Wire.Post(
        $$$"""{"jsonrpc":"2.0","id":{{{Id()}}},"method":"{{{Pick(Methods.Where(m => m is not "subscriptions/listen"))}}}","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":{{{Pick(["\"2026-07-28\"", .. Values])}}},"io.modelcontextprotocol/clientCapabilities":{{{Pick(Values)}}}},"name":{{{Pick(Values)}}}}}""",
        "MCP-Protocol-Version: 2026-07-28", $"Mcp-Method: {Pick(Methods)}", $"Mcp-Name: {Pick(["echo", "", "x"])}"));

    private byte[] Any(string session) => random.Next(4) switch
    {
        0 => Wire.Request("DELETE", [session.EndsWith(target.Sessions[^1], StringComparison.Ordinal) ? session : "Mcp-Session-Id: none"]),
        1 => Wire.Post(Wire.Call(Id(), "counter_increment", "{}"), session),
        _ => Wire.Post(Wire.Call(Id()), session),
    };

    private string Parameters() => random.Next(3) == 0 ? Pick(Values) : $$$"""{"name":{{{Pick(["\"echo\"", "\"counter_increment\"", .. Values])}}},"arguments":{{{Pick(Values)}}},"uri":{{{Pick(["\"board://announcements\"", .. Values])}}},"level":{{{Pick(["\"debug\"", .. Values])}}},"protocolVersion":{{{Pick(["\"2025-11-25\"", .. Values])}}},"_meta":{"progressToken":{{{Pick(Values)}}}}}""";

    private string MaybeSession() => random.Next(4) == 0 ? "X-None: 1" : Wire.Session(Session());

    private string Session() => Pick(target.Sessions);

    private string Id() => $"\"f{random.NextInt64()}\"";

    private T Pick<T>(IEnumerable<T> values) => values is IReadOnlyList<T> list ? list[random.Next(list.Count)] : Pick(values.ToArray());
}

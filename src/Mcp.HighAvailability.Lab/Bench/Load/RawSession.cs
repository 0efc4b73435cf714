using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;

namespace Mcp.HighAvailability.Lab.Bench.Load;

/// <summary>An MCP session on one <see cref="HttpWire"/>, as a client of revision 2025-11-25 without any convenience.</summary>
internal sealed class RawSession : IDisposable
{
    private const string Version = "2025-11-25";

    private readonly Uri _endpoint;
    private readonly HttpWire _wire;
    private readonly bool _ownsWire;

    private RawSession(Uri endpoint, HttpWire wire, bool ownsWire) => (_endpoint, _wire, _ownsWire) = (endpoint, wire, ownsWire);

    /// <summary>The session's id; empty where there are no sessions.</summary>
    public string Id { get; private set; } = "";

    public HttpWire Wire => _wire;

    /// <summary>Opens a session on a connection of its own.</summary>
    public static async Task<RawSession> OpenAsync(Uri endpoint, CancellationToken cancellationToken)
    {
        var wire = await HttpWire.ConnectAsync(endpoint, cancellationToken);
        try
        {
            var session = await OpenAsync(endpoint, wire, cancellationToken);
            return new RawSession(endpoint, wire, ownsWire: true) { Id = session.Id };
        }
        catch
        {
            wire.Dispose();
            throw;
        }
    }

    /// <summary>Opens a session on a connection that others use too, one after the other.</summary>
    public static async Task<RawSession> OpenAsync(Uri endpoint, HttpWire wire, CancellationToken cancellationToken)
    {
        var session = new RawSession(endpoint, wire, ownsWire: false);
        const string Client = """{"name":"bench","version":"1"}""";
        var parameters = $$$"""{"protocolVersion":"{{{Version}}}","capabilities":{},"clientInfo":{{{Client}}} }""";
        var initialize = $$$"""{"jsonrpc":"2.0","id":"i","method":"initialize","params":{{{parameters}}} }""";
        await wire.SendAsync(session.Post(initialize), cancellationToken);
        await wire.ReadHeadAsync(wantSession: true, cancellationToken);
        session.Id = wire.SessionId ?? throw new InvalidDataException($"'initialize' was answered with {wire.Status} and without a session.");
        await DrainAsync(wire, cancellationToken);
        await wire.SendAsync(session.Post("""{"jsonrpc":"2.0","method":"notifications/initialized"}"""), cancellationToken);
        await wire.ReadHeadAsync(wantSession: false, cancellationToken);
        await DrainAsync(wire, cancellationToken);
        return wire.Status == 202 ? session : throw new InvalidDataException($"'initialized' was answered with {wire.Status}.");
    }

    /// <summary>The same session on another connection.</summary>
    public Task<RawSession> AgainAsync(CancellationToken cancellationToken) => AtAsync(_endpoint, cancellationToken);

    /// <summary>The same session on a connection to another endpoint of the cluster.</summary>
    public async Task<RawSession> AtAsync(Uri endpoint, CancellationToken cancellationToken) =>
        new(endpoint, await HttpWire.ConnectAsync(endpoint, cancellationToken), ownsWire: true) { Id = Id };

    /// <summary>Ends the session, on a connection of its own.</summary>
    public async Task EndAsync(Uri endpoint, CancellationToken cancellationToken)
    {
        using var wire = await HttpWire.ConnectAsync(endpoint, cancellationToken);
        await wire.SendAsync(Build(endpoint, "DELETE", Id, null), cancellationToken);
        await wire.ReadHeadAsync(wantSession: false, cancellationToken);
    }

    /// <summary>Bytes of a POST.</summary>
    public byte[] Post(string json) => Build(_endpoint, "POST", Id, json);

    /// <summary>Bytes of a GET that opens a stream.</summary>
    public byte[] Get() => Build(_endpoint, "GET", Id, null);

    public static byte[] Build(Uri endpoint, string method, string sessionId, string? json)
    {
        var head = new StringBuilder()
            .Append(CultureInfo.InvariantCulture, $"{method} {endpoint.AbsolutePath} HTTP/1.1\r\nHost: {endpoint.Authority}\r\n")
            .Append(CultureInfo.InvariantCulture, $"Accept: {(json is null ? "" : "application/json, ")}text/event-stream\r\n");
        if (sessionId.Length > 0)
            head.Append(CultureInfo.InvariantCulture, $"Mcp-Session-Id: {sessionId}\r\nMCP-Protocol-Version: {Version}\r\n");
        if (json is not null)
            head.Append(CultureInfo.InvariantCulture, $"Content-Type: application/json\r\nContent-Length: {Encoding.UTF8.GetByteCount(json)}\r\n");
        return Encoding.UTF8.GetBytes($"{head}\r\n{json}");
    }

    /// <summary>Calls a tool and returns its result.</summary>
    public async Task<JsonNode> CallAsync(string id, string tool, string arguments, CancellationToken cancellationToken)
    {
        await _wire.SendAsync(Post(ToolCall(id, tool, arguments)), cancellationToken);
        await foreach (var message in ReadAsync(cancellationToken))
        {
            if ((string?)message["id"] == id)
            {
                await DrainAsync(_wire, cancellationToken);
                return message["result"] ?? throw new InvalidDataException($"{tool} was answered with {message.ToJsonString()}");
            }
        }

        throw new InvalidDataException($"{tool} was answered with {_wire.Status} and no result.");
    }

    public static string ToolCall(string id, string tool, string arguments)
    {
        var parameters = $$$"""{"name":"{{{tool}}}","arguments":{{{arguments}}},"_meta":{"progressToken":"p"} }""";
        return $$$"""{"jsonrpc":"2.0","id":"{{{id}}}","method":"tools/call","params":{{{parameters}}} }""";
    }

    /// <summary>Reads the answer to what was sent, JSON or stream, message by message.</summary>
    public async IAsyncEnumerable<JsonNode> ReadAsync([System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await _wire.ReadHeadAsync(wantSession: false, cancellationToken);
        var text = new List<byte>();
        while (await _wire.ReadBodyAsync(cancellationToken) is { Length: > 0 } piece)
        {
            text.AddRange(piece.Span);
            for (int line; (line = text.IndexOf((byte)'\n')) >= 0; text.RemoveRange(0, line + 1))
            {
                if (Parse(Encoding.UTF8.GetString([.. text[..line]])) is { } message)
                    yield return message;
            }
        }

        if (Parse("data: " + Encoding.UTF8.GetString([.. text])) is { } whole)
            yield return whole;
    }

    public void Dispose()
    {
        if (_ownsWire)
            _wire.Dispose();
    }

    private static JsonNode? Parse(string line) =>
        line.StartsWith("data: ", StringComparison.Ordinal) && line.Length > 6 ? JsonNode.Parse(line.AsSpan(6).ToString()) : null;

    private static async ValueTask DrainAsync(HttpWire wire, CancellationToken cancellationToken)
    {
        while (!(await wire.ReadBodyAsync(cancellationToken)).IsEmpty)
        {
        }
    }
}

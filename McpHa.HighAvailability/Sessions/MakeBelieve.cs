using System.Text;
using McpHa.HighAvailability.Affinity;
using McpHa.HighAvailability.Http;
using McpHa.HighAvailability.Journal;

namespace McpHa.HighAvailability.Sessions;

/// <summary>The session that rehearsals take over: its owner, which never was, has left one call behind.</summary>
internal static class MakeBelieve
{
    /// <summary>Stream of the call.</summary>
    public const string Stream = "c1x1";

    /// <summary>The last event of that stream that the client has had.</summary>
    public const string LastEventId = Stream + "-1";

    // A trace that is not sampled: nobody wants to see a rehearsal between the traces of clients.
    private const string Unseen = "00-00000000000000000000000000000001-0000000000000001-00";

    public static string Call(int id, string tool) =>
        $$$"""{"jsonrpc":"2.0","id":{{{id}}},"method":"tools/call","params":{"name":"{{{tool}}}","arguments":{},"_meta":{"progressToken":"p","traceparent":"{{{Unseen}}}"} } }""";

    public static SessionRecord Record(TimeProvider time) => new()
    {
        Id = SessionIds.New("rehearsal"),
        Owner = "nobody",
        Epoch = 1,
        ProtocolVersion = McpHeaders.FirstWithPriming,
        Created = time.GetUtcNow(),
        TraceParent = Unseen,
        Handshake = new Dictionary<string, ReadOnlyMemory<byte>>
        {
            [HandshakeKeys.Initialize] = """{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"rehearsal","version":"1"}}}"""u8.ToArray(),
            [HandshakeKeys.Initialized] = """{"jsonrpc":"2.0","method":"notifications/initialized"}"""u8.ToArray(),
            [HandshakeKeys.LogLevel] = """{"jsonrpc":"2.0","id":1,"method":"logging/setLevel","params":{"level":"info"}}"""u8.ToArray(),
        },
    };

    /// <summary>A call that has reported one step.</summary>
    public static SessionCommit CallInFlight(TimeProvider time) => new()
    {
        Epoch = 1,
        Number = 1,
        LastPosition = 1,
        Append =
        [
            new JournalEntry
            {
                Position = 1,
                Stream = Stream,
                Payload = """{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"p","progress":1}}"""u8.ToArray(),
                Time = time.GetUtcNow(),
            },
        ],
        Calls = [new(Stream, InFlight(Call(2, MakeBelieveServer.Again)))],
        State = [new("count", "1"u8.ToArray())],
    };

    private static byte[] InFlight(string body) => new InFlightCall(CallKey.Of(Encoding.UTF8.GetBytes(body)), Encoding.UTF8.GetBytes(body)).ToBytes();
}

using System.Text;
using McpHa.HighAvailability.Affinity;
using McpHa.HighAvailability.Http;

namespace McpHa.HighAvailability.Sessions;

/// <summary>The session that rehearsals take over: its owner, which never was, has left one call behind.</summary>
internal static class MakeBelieve
{
    /// <summary>Stream of the call.</summary>
    public const string Stream = "c1x1";

    public static string Ping(int id) => $$"""{"jsonrpc":"2.0","id":{{id}},"method":"ping"}""";

    public static SessionRecord Record(TimeProvider time) => new()
    {
        Id = SessionIds.New("rehearsal"),
        Owner = "nobody",
        Epoch = 1,
        ProtocolVersion = McpHeaders.FirstWithPriming,
        Created = time.GetUtcNow(),
        Handshake = new Dictionary<string, ReadOnlyMemory<byte>>
        {
            [HandshakeKeys.Initialize] = """{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"rehearsal","version":"1"}}}"""u8.ToArray(),
        },
    };

    public static SessionCommit CallInFlight => new()
    {
        Epoch = 1,
        Number = 1,
        LastPosition = 0,
        Calls = [new(Stream, new InFlightCall(CallKey.Of("{}"u8), Encoding.UTF8.GetBytes(Ping(1))).ToBytes())],
    };
}

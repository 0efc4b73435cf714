using Mcp.HighAvailability.EventBus;
using Mcp.HighAvailability.Journal;

namespace Mcp.HighAvailability.Sessions;

/// <summary>Steps of broadcasts: a session is handed each once, whoever owns it.</summary>
internal static class BroadcastSteps
{
    /// <summary>Sends a broadcast, and notes in the same commit that it was handed on: a new owner finds both or neither.</summary>
    public static long? Send(SessionCore core, ReadOnlyMemory<byte> payload, MessageKind kind, UInt128 id)
    {
        if (!core.IsActive)
            return null;
        if (id > Newest(core))
        {
            var written = BroadcastIds.Write(id);
            core.Handshake.Set(HandshakeKeys.Broadcast, written);
            core.Commits.Open().SetHandshake(HandshakeKeys.Broadcast, written);
        }

        return MessageSteps.SendUnrelated(core, payload, kind);
    }

    /// <summary>The newest broadcast that the session was handed.</summary>
    public static UInt128 Newest(SessionCore core) => core.Handshake.Find(HandshakeKeys.Broadcast) is { } id ? BroadcastIds.Read(id.Span) : 0;
}

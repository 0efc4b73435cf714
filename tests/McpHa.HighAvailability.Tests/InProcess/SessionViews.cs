using Mcp.HighAvailability.Sessions;
using Mcp.HighAvailability.Storage;
using ModelContextProtocol.Protocol;

namespace McpHa.Tests;

/// <summary>What tests look at in a session.</summary>
internal static class SessionViews
{
    /// <summary>The log level that the client asked for; <see langword="null"/> if it did not.</summary>
    public static LoggingLevel? LogLevel(this LiveSession session) =>
        session.Runner.Read(static core => RecordedHandshake.LogLevel(core.Handshake.Find(HandshakeKeys.LogLevel)));
}

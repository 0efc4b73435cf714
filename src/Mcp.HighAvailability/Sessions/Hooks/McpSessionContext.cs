using System.Security.Claims;

namespace Mcp.HighAvailability;

/// <summary>How a client opened its session. The same on every replica that serves the session, also after a take-over.</summary>
/// <remarks>For a client without a session it describes the one request that is served.</remarks>
public sealed class McpSessionContext
{
    internal McpSessionContext()
    {
    }

    /// <summary>Id of the client's session (<c>Mcp-Session-Id</c>); <see langword="null"/> for a request without a session.</summary>
    public required string? SessionId { get; init; }

    /// <summary>Path of the request that opened the session, path base included, for example <c>/tools/math</c>.</summary>
    public required string Path { get; init; }

    /// <summary>Values of the route parameters of that request, by name. Names are case-insensitive.</summary>
    public required IReadOnlyDictionary<string, string> RouteValues { get; init; }

    /// <summary>
    /// The user who opened the session, with the claims of that moment; <see langword="null"/>: anonymous. After a take-over claims of more than 16 KiB are
    /// reduced to issuer and subject.
    /// </summary>
    public required ClaimsPrincipal? User { get; init; }

    /// <summary>Whether this replica has taken the session over from another one.</summary>
    public required bool IsTakeOver { get; init; }

    /// <summary>Services of the application.</summary>
    public required IServiceProvider Services { get; init; }
}

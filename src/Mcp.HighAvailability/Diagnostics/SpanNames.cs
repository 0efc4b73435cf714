namespace Mcp.HighAvailability.Diagnostics;

/// <summary>Names of the spans that the library makes.</summary>
internal static class SpanNames
{
    /// <summary>A client has opened a session. Root of the session's trace.</summary>
    public const string Create = "session create";

    /// <summary>A replica has taken a session over.</summary>
    public const string TakeOver = "take over";

    /// <summary>From now on a process sends the session's requests to another replica than before.</summary>
    public const string Forward = "forward";

    /// <summary>Something of the session went on after a break: an exchange at another replica, or a client's stream.</summary>
    public const string Resume = "resume";

    /// <summary>A replica has given a session up in good order.</summary>
    public const string HandOver = "hand over";

    /// <summary>The session has ended, for good.</summary>
    public const string End = "end";

    /// <summary>One attempt of a relay at one replica. Part of the request's trace, not of the session's.</summary>
    public const string Attempt = "relay attempt";
}

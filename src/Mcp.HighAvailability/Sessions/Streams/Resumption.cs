namespace Mcp.HighAvailability.Sessions;

/// <summary>Outcome of a client's wish to go on with a stream.</summary>
internal abstract record Resumption
{
    private Resumption() { }

    /// <summary>Here is the rest, and what follows.</summary>
    public sealed record Reading(StreamSubscription Reader) : Resumption;

    /// <summary>The client has had everything, and nothing will follow.</summary>
    public sealed record NothingLeft : Resumption;

    /// <summary>Some of what the client has missed is no longer kept.</summary>
    public sealed record Trimmed : Resumption;

    /// <summary>This session has never had such a stream.</summary>
    public sealed record Unknown : Resumption;

    /// <summary>The session is no longer served here.</summary>
    public sealed record Moved : Resumption;
}

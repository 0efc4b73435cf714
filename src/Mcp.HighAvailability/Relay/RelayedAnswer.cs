namespace Mcp.HighAvailability.Relay;

/// <summary>Feature of a browser's request: its answer is a replica's, and not this process's own.</summary>
internal sealed class RelayedAnswer
{
    public static readonly RelayedAnswer Mark = new();

    private RelayedAnswer()
    {
    }
}

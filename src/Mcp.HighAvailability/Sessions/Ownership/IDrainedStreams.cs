namespace Mcp.HighAvailability.Sessions;

/// <summary>Open streams of a replica that belong to no session, and that a drain ends.</summary>
internal interface IDrainedStreams
{
    /// <summary>Ends all of them, so that their clients open them again at another replica.</summary>
    /// <param name="forGood">Whether streams that come later are ended too.</param>
    void EndAll(bool forGood);
}

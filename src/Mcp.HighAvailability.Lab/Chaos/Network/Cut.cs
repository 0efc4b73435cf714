namespace Mcp.HighAvailability.Lab.Chaos.Network;

/// <summary>How a link is cut.</summary>
internal enum Cut
{
    /// <summary>Nothing passes and nothing is lost, as on a network that has a fault: what is sent arrives when it is over.</summary>
    Hold,

    /// <summary>All connections are reset, and every new one.</summary>
    Reset,
}

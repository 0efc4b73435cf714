namespace Mcp.HighAvailability.Lab.Chaos.Network;

/// <summary>How a link is cut.</summary>
internal enum Cut
{
    /// <summary>No packet passes and none is lost: they arrive when the fault is over.</summary>
    Hold,

    /// <summary>All connections are reset, and every new one.</summary>
    Reset,
}

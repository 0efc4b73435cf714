namespace Mcp.HighAvailability.Sessions;

/// <summary>An open response that gets keep-alives from <c>KeepAliveClock</c>.</summary>
internal interface IKeptAlive
{
    /// <summary>Sends a sign of life, if the response is silent.</summary>
    void KeepAlive();
}

namespace Mcp.HighAvailability.Http;

/// <summary>An open response that gets keep-alives from <see cref="KeepAliveClock"/>.</summary>
internal interface IKeptAlive
{
    /// <summary>Sends a sign of life, if the response is silent.</summary>
    void KeepAlive();
}

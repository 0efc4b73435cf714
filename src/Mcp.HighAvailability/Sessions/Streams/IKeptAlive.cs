using Mcp.HighAvailability.Timing;

namespace Mcp.HighAvailability.Sessions;

/// <summary>An open response that gets keep-alives from <c>KeepAliveClock</c>.</summary>
internal interface IKeptAlive
{
    /// <summary>Its place among the responses that get keep-alives; <see langword="null"/>: it gets none. The clock's.</summary>
    Due<IKeptAlive>? Due { get; set; }

    /// <summary>Sends a sign of life, if the response is silent.</summary>
    void KeepAlive();
}

using Mcp.HighAvailability.Timing;

namespace Mcp.HighAvailability.Sessions;

/// <summary>An open response that gets keep-alives from <c>KeepAliveClock</c>.</summary>
internal interface IKeptAlive
{
    /// <summary>The response's entry in the clock that sends keep-alives; <see langword="null"/>: no keep-alives. Written by the clock alone.</summary>
    Due<IKeptAlive>? Due { get; set; }

    /// <summary>Sends a sign of life, if the response is silent.</summary>
    void KeepAlive();
}

namespace Mcp.HighAvailability.Diagnostics;

/// <summary>Counters that alert rules use.</summary>
/// <remarks>A counter that begins with 1 shows no increase: the first event would raise no alert. Counters with attributes are left out.</remarks>
internal interface IStartsAtZero
{
    /// <summary>Adds zero to each of them.</summary>
    void PublishZeros();
}

using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace Mcp.HighAvailability.Diagnostics;

/// <summary>Names under which the library publishes spans and metrics.</summary>
public static class HighAvailabilityDiagnostics
{
    /// <summary>Name of the <see cref="ActivitySource"/>.</summary>
    public const string ActivitySourceName = "Mcp.HighAvailability";

    /// <summary>Name of the <see cref="Meter"/>.</summary>
    public const string MeterName = "Mcp.HighAvailability";

    /// <summary>Name of the MCP SDK's own source and meter.</summary>
    internal const string SdkSourceName = "Experimental.ModelContextProtocol";

    internal static readonly ActivitySource Source = new(ActivitySourceName);
}

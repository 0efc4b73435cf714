using Microsoft.Extensions.Configuration;

namespace Mcp.HighAvailability.Cluster;

/// <summary>Name given to this process by the platform that started it.</summary>
internal static class InstanceName
{
    private const string Attribute = "service.instance.id";

    /// <summary><c>service.instance.id</c> of <c>OTEL_RESOURCE_ATTRIBUTES</c> (Aspire sets it), otherwise machine name and process id.</summary>
    public static string Of(IConfiguration? configuration)
    {
        // As OpenTelemetry reads it: key=value, separated by commas, values percent-encoded.
        foreach (var pair in (configuration?["OTEL_RESOURCE_ATTRIBUTES"] ?? "").Split(','))
        {
            if (pair.Split('=', 2, StringSplitOptions.TrimEntries) is [Attribute, { Length: > 0 } value])
                return Uri.UnescapeDataString(value);
        }

        return $"{Environment.MachineName}-{Environment.ProcessId}";
    }
}

using System.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using OpenTelemetry.Metrics;
using OpenTelemetry.Trace;

namespace Mcp.HighAvailability.Diagnostics;

/// <summary>Connects the library with the OpenTelemetry of the application, if it has any.</summary>
internal static class TelemetryServices
{
    private static readonly string[] _names = [HighAvailabilityDiagnostics.ActivitySourceName, HighAvailabilityDiagnostics.SdkSourceName];

    /// <summary>
    /// Adds the source and the meter of the library, and those of the MCP SDK, and keeps the names of request spans. Without OpenTelemetry it has no effect.
    /// </summary>
    public static IServiceCollection AddTelemetry(this IServiceCollection services)
    {
        if (services.Any(static service => service.ServiceType == typeof(Marker)))
            return services;
        services.AddSingleton<Marker>();
        services.ConfigureOpenTelemetryTracerProvider(static tracing => tracing.AddSource(_names).AddInstrumentation(static () => new RequestSpanNames()));
        services.ConfigureOpenTelemetryMeterProvider(static metrics => metrics.AddMeter(_names));
        return services;
    }

    /// <summary>Leaves the current span out of the traces: what repeats every few seconds and tells nothing by itself.</summary>
    public static void LeaveOutOfTraces()
    {
        if (Activity.Current is { } span)
            LeaveOut(span);
    }

    /// <summary>Leaves a span out of the traces.</summary>
    public static void LeaveOut(Activity span)
    {
        span.IsAllDataRequested = false;
        span.ActivityTraceFlags &= ~ActivityTraceFlags.Recorded;
    }

    private sealed class Marker;
}

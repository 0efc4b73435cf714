using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace OpenTelemetry.Metrics;

/// <summary>Stands in for OpenTelemetry.Exporter.Prometheus.AspNetCore: there are no metrics for Prometheus, and whoever asks for them is told why.</summary>
internal static class PrometheusExporter
{
    public static MeterProviderBuilder AddPrometheusExporter(this MeterProviderBuilder builder) => builder;

    public static IApplicationBuilder UseOpenTelemetryPrometheusScrapingEndpoint(this IApplicationBuilder app, Func<HttpContext, bool> predicate)
    {
        app.Run(context =>
        {
            context.Response.StatusCode = StatusCodes.Status404NotFound;
            return context.Response.WriteAsync("Built from a package feed without OpenTelemetry.Exporter.Prometheus.AspNetCore: there are no metrics for Prometheus. GET /status.json of the balancer has the figures.");
        });
        return app;
    }
}

using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;

namespace Microsoft.Extensions.Hosting;

/// <summary>Metrics that Prometheus collects. They do not need an OTLP endpoint.</summary>
public static class Prometheus
{
    private const string Path = "/metrics";

    /// <summary>Measures for Prometheus. Serve the metrics with <see cref="PrometheusText"/>.</summary>
    public static TBuilder AddPrometheusMetrics<TBuilder>(this TBuilder builder) where TBuilder : IHostApplicationBuilder
    {
        builder.Services.AddSingleton<Marker>();
        builder.Services.AddOpenTelemetry()
            .ConfigureResource(resource => resource.AddService(builder.Environment.ApplicationName).AddEnvironmentVariableDetector())
            .WithMetrics(metrics => metrics.AddMeter("System.Runtime").AddPrometheusExporter());
        return builder;
    }

    /// <summary>
    /// Responds with the metrics as text. It is <see langword="null"/> without <see cref="AddPrometheusMetrics"/>. Map it where only operators can
    /// read it.
    /// </summary>
    public static RequestDelegate? PrometheusText(this IEndpointRouteBuilder endpoints)
    {
        if (endpoints.ServiceProvider.GetService<Marker>() is null)
            return null;
        var pipeline = endpoints.CreateApplicationBuilder();
        pipeline.UseOpenTelemetryPrometheusScrapingEndpoint(static _ => true);
        return pipeline.Build();
    }

    /// <summary>Whether the setting <c>Prometheus</c> opens the metrics to every client that reaches this process.</summary>
    internal static bool IsPrometheusEnabled(this IHostApplicationBuilder builder) => builder.Configuration.GetValue<bool>("Prometheus");

    internal static void MapPrometheus(this WebApplication app)
    {
        if (app.Configuration.GetValue<bool>("Prometheus") && app.PrometheusText() is { } metrics)
            app.MapGet(Path, metrics);
    }

    private sealed class Marker;
}

using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using OpenTelemetry;
using OpenTelemetry.Metrics;

namespace Microsoft.Extensions.Hosting;

/// <summary>Metrics for Prometheus, which comes and asks for them. They are there without an OTLP endpoint, too.</summary>
public static class Prometheus
{
    /// <summary>Measures for Prometheus: the application's own metrics and the runtime's, and whatever is exported by OTLP besides. Serve them with <see cref="PrometheusText"/>.</summary>
    public static TBuilder AddPrometheusMetrics<TBuilder>(this TBuilder builder) where TBuilder : IHostApplicationBuilder
    {
        builder.Services.AddSingleton<Marker>();
        builder.Services.AddOpenTelemetry()
            .ConfigureResource(resource => Extensions.Name(resource, builder))
            .WithMetrics(metrics => metrics
                .AddMeter(Extensions.McpTelemetry)
                .AddMeter("System.Runtime")
                .AddPrometheusExporter());
        return builder;
    }

    /// <summary>Answers with the metrics as text; <see langword="null"/> without <see cref="AddPrometheusMetrics"/>. Map it where only those come who may see them.</summary>
    public static RequestDelegate? PrometheusText(this IEndpointRouteBuilder endpoints)
    {
        if (endpoints.ServiceProvider.GetService<Marker>() is null)
            return null;
        var pipeline = endpoints.CreateApplicationBuilder();
        pipeline.UseOpenTelemetryPrometheusScrapingEndpoint(static _ => true);
        return pipeline.Build();
    }

    private sealed class Marker;
}

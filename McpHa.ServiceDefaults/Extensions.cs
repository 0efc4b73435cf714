using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Diagnostics.HealthChecks;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Http.Resilience;
using Microsoft.Extensions.Logging;
using OpenTelemetry;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace Microsoft.Extensions.Hosting;

/// <summary>What every service of the application has in common: telemetry, health, service discovery, resilience.</summary>
public static class Extensions
{
    private const string HealthEndpointPath = "/health";
    private const string AlivenessEndpointPath = "/alive";

    // Serves metrics to whoever reaches this process.
    private const string PrometheusSetting = "Prometheus";
    private const string MetricsEndpointPath = "/metrics";

    // Replicas and balancers ask each other whether they live.
    private const string ProbeHeader = "Mcp-Ha-Probe";

    // Source and meter of the high availability library, and of the MCP SDK.
    internal static readonly string[] McpTelemetry = ["Mcp.HighAvailability", "Experimental.ModelContextProtocol"];

    /// <summary>Adds telemetry, health checks, service discovery, and resilience for clients of <see cref="IHttpClientFactory"/>.</summary>
    public static TBuilder AddServiceDefaults<TBuilder>(this TBuilder builder) where TBuilder : IHostApplicationBuilder
    {
        builder.ConfigureOpenTelemetry();
        if (builder.Configuration.GetValue<bool>(PrometheusSetting))
            builder.AddPrometheusMetrics();
        builder.AddDefaultHealthChecks();
        builder.Services.AddServiceDiscovery();
        builder.Services.ConfigureHttpClientDefaults(http =>
        {
            // A POST or DELETE that is sent twice may take effect twice.
            http.AddStandardResilienceHandler(options => options.Retry.DisableForUnsafeHttpMethods());
            http.AddServiceDiscovery();
        });

        return builder;
    }

    /// <summary>Logs, metrics and traces by OpenTelemetry. Does nothing while there is nowhere to export them to.</summary>
    public static TBuilder ConfigureOpenTelemetry<TBuilder>(this TBuilder builder) where TBuilder : IHostApplicationBuilder
    {
        // A span that nobody exports still costs its allocation on every request.
        if (!builder.HasOtlpEndpoint())
            return builder;

        builder.Logging.AddOpenTelemetry(logging =>
        {
            logging.IncludeFormattedMessage = true;
            logging.IncludeScopes = true;
        });

        builder.Services.AddOpenTelemetry()
            .ConfigureResource(resource => Name(resource, builder))
            .WithMetrics(metrics => metrics
                .SetExemplarFilter(ExemplarFilterType.TraceBased)
                .AddMeter(McpTelemetry)
                .AddAspNetCoreInstrumentation()
                .AddHttpClientInstrumentation()
                .AddRuntimeInstrumentation())
            .WithTracing(tracing => tracing
                .AddSource(builder.Environment.ApplicationName)
                .AddSource(McpTelemetry)
                .AddAspNetCoreInstrumentation(options => options.Filter = context =>
                    // Probes come every few seconds and say nothing about the traffic.
                    !context.Request.Path.StartsWithSegments(HealthEndpointPath)
                    && !context.Request.Path.StartsWithSegments(AlivenessEndpointPath)
                    && !context.Request.Headers.ContainsKey(ProbeHeader))
                .AddHttpClientInstrumentation());

        return builder.AddOpenTelemetryExporters();
    }

    /// <summary>A check that says the process answers at all, and Redis checks that do not take a working replica out.</summary>
    public static TBuilder AddDefaultHealthChecks<TBuilder>(this TBuilder builder) where TBuilder : IHostApplicationBuilder
    {
        builder.Services.AddHealthChecks().AddCheck("self", () => HealthCheckResult.Healthy(), ["live"]);

        // A replica goes on serving the sessions it owns while Redis is away. Were it Unhealthy then, every replica would be
        // taken out of rotation at the same moment, and a short outage of Redis would be an outage of the application.
        builder.Services.PostConfigure<HealthCheckServiceOptions>(options =>
        {
            foreach (var check in options.Registrations.Where(check => check.Name.StartsWith("StackExchange.Redis", StringComparison.Ordinal)))
                check.FailureStatus = HealthStatus.Degraded;
        });

        return builder;
    }

    /// <summary>
    /// Maps <c>/health</c> (every check passes: ready for traffic) and <c>/alive</c> (the process answers), in every environment
    /// because probes need them. The answer is the status word, without details. <c>/metrics</c> too, where the setting <c>Prometheus</c> is true.
    /// </summary>
    public static WebApplication MapDefaultEndpoints(this WebApplication app)
    {
        app.MapHealthChecks(HealthEndpointPath);
        app.MapHealthChecks(AlivenessEndpointPath, new HealthCheckOptions { Predicate = check => check.Tags.Contains("live") });

        if (app.Configuration.GetValue<bool>(PrometheusSetting) && app.PrometheusText() is { } metrics)
            app.MapGet(MetricsEndpointPath, metrics);

        return app;
    }

    private static TBuilder AddOpenTelemetryExporters<TBuilder>(this TBuilder builder) where TBuilder : IHostApplicationBuilder
    {
        // Other exporters are added here; widen the condition in ConfigureOpenTelemetry with them.
        if (builder.HasOtlpEndpoint())
            builder.Services.AddOpenTelemetry().UseOtlpExporter();

        return builder;
    }

    // Aspire, and most other hosts, set these variables themselves. Every process needs an instance id of its own, or replicas look like one.
    internal static void Name<TBuilder>(ResourceBuilder resource, TBuilder builder) where TBuilder : IHostApplicationBuilder
    {
        var attributes = builder.Configuration["OTEL_RESOURCE_ATTRIBUTES"] ?? "";
        if (string.IsNullOrWhiteSpace(builder.Configuration["OTEL_SERVICE_NAME"]) && !attributes.Contains("service.name=", StringComparison.Ordinal))
            resource.AddAttributes([new("service.name", builder.Environment.ApplicationName)]);
        if (!attributes.Contains("service.instance.id=", StringComparison.Ordinal))
            resource.AddAttributes([new("service.instance.id", Guid.NewGuid().ToString())]);
    }

    private static bool HasOtlpEndpoint<TBuilder>(this TBuilder builder) where TBuilder : IHostApplicationBuilder =>
        !string.IsNullOrWhiteSpace(builder.Configuration["OTEL_EXPORTER_OTLP_ENDPOINT"]);
}

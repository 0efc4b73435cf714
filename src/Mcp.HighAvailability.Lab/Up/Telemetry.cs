namespace Mcp.HighAvailability.Lab.Up;

/// <summary>Where processes send their telemetry.</summary>
internal sealed record Telemetry(Uri OtlpGrpc)
{
    /// <summary>Adds the variables that every OpenTelemetry exporter reads.</summary>
    public void AddTo(IDictionary<string, string?> environment)
    {
        environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = OtlpGrpc.GetLeftPart(UriPartial.Authority);
        environment["OTEL_EXPORTER_OTLP_PROTOCOL"] = "grpc";

        // Shorter than the defaults: a person is watching.
        environment["OTEL_BSP_SCHEDULE_DELAY"] = "1000";
        environment["OTEL_BLRP_SCHEDULE_DELAY"] = "1000";
        environment["OTEL_METRIC_EXPORT_INTERVAL"] = "5000";
    }
}
